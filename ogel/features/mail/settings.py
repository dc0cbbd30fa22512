"""The settings of mail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ogel.knobs import Takes, choices, endpoint, helo_name, knob, path, real, reals, server_url, text
from ogel.runtime.mail.address import parse_address
from ogel.runtime.server_urls.others import SMTP_SHAPE, clean_smtp

_ADDRESS = Takes("name@example.com or Name <name@example.com>", lambda value: str(parse_address(value)))


@dataclass(frozen=True, slots=True)
class MailSettings:
    providers: tuple[str, ...] | None = knob(
        "OGEL_MAIL_PROVIDERS",
        "MAIL_PROVIDER",
        takes=choices("resend", "smtp", "outbox"),
        default=None,
        empty=(),
        meaning="Asked in this order. None: those of which the key or server is set; embedded, else, the outbox."
        " Empty: no outbox.",
    )
    sender: str | None = knob(
        "OGEL_MAIL_FROM",
        "MAIL_FROM",
        takes=_ADDRESS,
        default=None,
        empty="",
        meaning="The sender of mail that names none. None: ogel@ogel.invalid with embedded servers. Empty: nobody.",
    )
    resend_api_key: str | None = knob(
        "RESEND_API_KEY", takes=text("a key"), default=None, meaning="Resend's key, re_….", secret=True
    )
    resend_url: str = knob(
        "RESEND_BASE_URL",
        takes=endpoint("https://host[:port]"),
        default="https://api.resend.com",
        meaning="Where Resend's API is.",
    )
    smtp_url: str | None = knob(
        "SMTP_URL",
        takes=server_url(clean_smtp, SMTP_SHAPE),
        default=None,
        meaning="smtp:// insists on STARTTLS, smtps:// is TLS, smtp+plain:// neither; also from SMTP_HOST and others.",
        secret=True,
    )
    helo: str | None = knob(
        "OGEL_MAIL_HELO",
        takes=helo_name(),
        default=None,
        meaning="What SMTP servers are told we are called (EHLO). None: the domain of the letter's sender.",
    )
    templates: Path | None = knob(
        "OGEL_MAIL_TEMPLATES",
        takes=path("a directory"),
        default=None,
        meaning="Templates of your own, `<locale>/<name>.subject.jinja` and so on, before those of Ogel.",
    )
    retry_delays: tuple[float, ...] = knob(
        "OGEL_MAIL_RETRY_DELAYS",
        takes=reals(0, 7 * 86400, "seconds", most_of_them=50),
        default=(60.0, 300.0, 1800.0, 7200.0, 14400.0, 21600.0, 36000.0),
        meaning="Between the attempts to send a message, about (one attempt more than delays).",
    )
    timeout_seconds: float = knob(
        "OGEL_MAIL_TIMEOUT_SECONDS",
        takes=real(0.1, 300, "seconds"),
        default=30.0,
        meaning="How long one provider may take for one message.",
    )
    retention_days: float = knob(
        "OGEL_MAIL_RETENTION_DAYS",
        takes=real(0.01, 3650, "days"),
        default=30.0,
        meaning="Messages that are over, and the keys that made them idempotent, are deleted after this.",
    )

    @property
    def configured_providers(self) -> tuple[str, ...]:
        """Those of which the key or server is set."""
        given = {"resend": self.resend_api_key, "smtp": self.smtp_url}
        return tuple(name for name, value in given.items() if value is not None)
