"""Builds the mail providers named in the settings. An adapter is imported only when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ogel.features.mail.settings import MailSettings

if TYPE_CHECKING:
    from ogel.runtime.delivery.providers import Guarded
    from ogel.runtime.mail.letter import MailProvider
    from ogel.runtime.outgoing import Outgoing


def mail_providers(settings: MailSettings, outgoing: Outgoing, data_dir: Path) -> list[Guarded[MailProvider]]:
    """
    In the order in which they are tried. None when no provider is set: the API still accepts mail, which waits for a
    worker that has one.
    """
    from ogel.runtime.delivery.breaker import Breaker
    from ogel.runtime.delivery.providers import Guarded

    providers: list[Guarded[MailProvider]] = []
    for name in settings.providers or settings.configured_providers:
        provider: MailProvider
        if name == "resend":
            from ogel.adapters.mail.resend import ResendProvider

            provider = ResendProvider(
                outgoing,
                settings.resend_api_key or "",
                settings.resend_url,
                settings.timeout_seconds,
            )
        elif name == "smtp":
            from ogel.adapters.mail.smtp import SmtpProvider, SmtpServer

            server = SmtpServer.of(settings.smtp_url or "")
            provider = SmtpProvider(server, settings.timeout_seconds, settings.helo)
        else:
            from ogel.adapters.mail.outbox import OutboxProvider

            provider = OutboxProvider(outbox_directory(data_dir))
        providers.append(Guarded(name, provider, Breaker()))
    return providers


def outbox_directory(data_dir: Path) -> Path:
    return data_dir / "outbox"
