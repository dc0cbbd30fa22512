"""The manifest of mail, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.mail.jobs import FAILED, QUEUE, SENT, SendMail
from ogel.features.mail.providers import mail_providers
from ogel.features.mail.purge import purge_of_mail
from ogel.features.mail.sealed import words_purpose
from ogel.features.mail.service import MailService
from ogel.features.mail.settings import MailSettings
from ogel.features.mail.store import MailStore
from ogel.features.mail.suppressions.service import SuppressionService
from ogel.features.mail.templating import Templates
from ogel.runtime.core import Core
from ogel.runtime.delivery.providers import Providers
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.mail.address import parse_address
from ogel.runtime.mail.letter import MailProvider
from ogel.runtime.secrets.sealed import SealedColumn


class MailFeature:
    """Builds the services when they are first used."""

    def __init__(self, core: Core, settings: MailSettings, providers: Providers[MailProvider]) -> None:
        def admit() -> None:
            core.pressure.admit((QUEUE,))

        store = MailStore(core.vault)
        sender = parse_address(settings.sender) if settings.sender else None
        self._templates = Templates(settings.templates)
        self.messages = MailService(
            core.database,
            store,
            core.jobs,
            core.audit,
            self._templates,
            sender,
            admit,
            core.vault,
            has_providers=bool(providers.names),
        )
        self.suppressions = SuppressionService(core.database, core.audit)
        self.send = SendMail(
            core.database, store, core.outbox, providers, settings.retry_delays, settings.timeout_seconds
        )

    def routes(self) -> Sequence[Route]:
        from ogel.features.mail.routes import MailRoutes
        from ogel.features.mail.suppressions.routes import SuppressionRoutes

        return [
            *MailRoutes(self.messages, self._templates).routes(),
            *SuppressionRoutes(self.suppressions).routes(),
        ]


def build(core: Core, settings: MailSettings) -> Feature:
    found = mail_providers(settings, core.outgoing, core.data_dir)
    mail = MailFeature(core, settings, Providers("mail", found, core.provider_metrics))
    return Feature(
        name="mail",
        routes=mail.routes,
        scopes={"mail:read": "look at mail and suppressions", "mail:write": "send mail, change suppressions"},
        jobs=[mail.send.kind()],
        events={
            SENT: "a provider has taken a message",
            FAILED: "a message was refused for good, or given up",
        },
        purges=[purge_of_mail(settings.retention_days)],
        sealed=[SealedColumn("mail_requests", "id", "sealed", owner="id", purpose=words_purpose)],
        tables=["mail_attempts", "mail_messages", "mail_requests", "mail_suppressions"],
        settings=settings,
        offers=mail,
    )
