"""The settings of mail."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self
from urllib.parse import quote

from ogel.knobs import (
    Composed,
    Section,
    Takes,
    choice,
    choices,
    endpoint,
    host_or_socket,
    knob,
    needs,
    path,
    piece,
    place,
    real,
    reals,
    server_url,
    text,
    whole,
)
from ogel.runtime.mail.address import parse_address
from ogel.runtime.network.server import NamedServer
from ogel.runtime.server_urls.others import SMTP_SHAPE, clean_smtp

_ADDRESS = Takes("name@example.com or Name <name@example.com>", lambda value: str(parse_address(value)))

# At least two labels, of which the last is not a number.
_FULL_NAME = re.compile(
    r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?![0-9]+\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)
_NEEDS = {"resend": "resend_api_key", "smtp": "smtp_url"}
_SMTP_SCHEMES = {"starttls": "smtp", "tls": "smtps", "none": "smtp+plain"}
_SMTP_SECURITY = choice(*_SMTP_SCHEMES)
_PORT = whole(1, 65535, "port")
_HOST = host_or_socket("a host's name or address")


def helo_name() -> Takes:
    """Checks an argument of EHLO (RFC 5321 §4.1.1.1): a full host name, or an address literal (§4.1.3)."""

    def parse(value: str) -> str:
        if value.startswith("[") and value.endswith("]"):
            return _address_literal(value[1:-1])
        name = value.lower()
        if len(name) > 253 or not _FULL_NAME.fullmatch(name):
            raise ValueError
        return name

    return Takes("a full host name (mail.example.com), or an address: [192.0.2.1], [IPv6:2001:db8::1]", parse)


def _address_literal(text: str) -> str:
    if text[:5].lower() == "ipv6:":
        return f"[IPv6:{ipaddress.IPv6Address(text[5:])}]"
    return f"[{ipaddress.IPv4Address(text)}]"


@dataclass(frozen=True, slots=True)
class MailSettings(Section):
    COMPOSED = ("smtp_url",)

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
        """The providers whose key or server is set."""
        given = {"resend": self.resend_api_key, "smtp": self.smtp_url}
        return tuple(name for name, value in given.items() if value is not None)

    @classmethod
    def composed(cls, given: Mapping[str, str], sources: Mapping[str, str | None]) -> Mapping[str, Composed]:
        """
        Composes the URL from SMTP_HOST, SMTP_PORT, SMTP_SECURE (starttls, tls, none), SMTP_USERNAME and SMTP_PASSWORD.
        """
        if sources["smtp_url"] is not None or "SMTP_HOST" not in given:
            return {}
        security = piece(given, "SMTP_SECURE", _SMTP_SECURITY, "starttls")
        server = place(piece(given, "SMTP_HOST", _HOST))
        if "SMTP_PORT" in given:
            server += f":{piece(given, 'SMTP_PORT', _PORT)}"
        user, password = given.get("SMTP_USERNAME"), quote(given.get("SMTP_PASSWORD", ""), safe="")
        login = "" if user is None else f"{quote(user, safe='')}:{password}@"
        return {"smtp_url": Composed(f"{_SMTP_SCHEMES[security]}://{login}{server}", "SMTP_HOST")}

    def incomplete(self, known: Collection[str], names: Mapping[str, str]) -> Sequence[str]:
        return [
            line
            for name in self.providers or ()
            if name in _NEEDS
            for line in needs(f"OGEL_MAIL_PROVIDERS names {name}", [_NEEDS[name]], known, names)
        ]

    def for_one_machine(self, port: int) -> Self:
        """Without a provider, mail is written to files, unless the setting says explicitly that there is none."""
        sender = "Ogel <ogel@ogel.invalid>" if self.sender is None else self.sender
        chosen = self.providers or self.configured_providers
        if not chosen and self.providers is None:
            chosen = ("outbox",)
        return replace(self, providers=chosen, sender=sender)

    def servers(self) -> Sequence[NamedServer]:
        found = []
        for name in self.providers or self.configured_providers:
            if name == "resend":
                found.append(NamedServer("mail by Resend", "http", self.resend_url, "resend_url"))
            elif name == "smtp" and self.smtp_url is not None:
                found.append(NamedServer("mail by SMTP", "smtp", self.smtp_url, "smtp_url"))
        return found
