"""The manifest of mail, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ogel.features.mail.jobs import FAILED, SENT, SendMail
from ogel.features.mail.purge import purge_of_mail
from ogel.features.mail.service import MailService
from ogel.features.mail.store import MailStore
from ogel.features.mail.suppressions.service import SuppressionService
from ogel.features.mail.templating import Templates
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.delivery.providers import Providers
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.mail.address import Address
from ogel.runtime.mail.letter import MailProvider
from ogel.runtime.outbox import Outbox


@dataclass(frozen=True, slots=True)
class MailOptions:
    """
    sender           of mail that names none.
    templates        a folder of the operator's own.
    retry_delays     seconds before the second attempt, the third, …; after the last one a message has failed.
    timeout_seconds  of one provider.
    retention_days   how long messages that are over are remembered.
    """

    sender: Address | None
    templates: Path | None
    retry_delays: Sequence[float]
    timeout_seconds: float
    retention_days: float


class MailFeature:
    """Builds the services; touches nothing before one of them is called."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        outbox: Outbox,
        audit: AuditTrail,
        providers: Providers[MailProvider],
        options: MailOptions,
        admit: Callable[[], None],
    ) -> None:
        """`admit` raises while too much mail waits."""
        store = MailStore()
        self._templates = Templates(options.templates)
        self.messages = MailService(database, store, jobs, audit, self._templates, options.sender, admit)
        self.suppressions = SuppressionService(database, audit)
        self._send = SendMail(
            database, store, outbox, providers, options.retry_delays, options.timeout_seconds
        )
        self._retention_days = options.retention_days

    def feature(self) -> Feature:
        return Feature(
            name="mail",
            routes=self._routes,
            jobs=[self._send.kind()],
            events={
                SENT: "a provider has taken a message",
                FAILED: "a message was refused for good, or given up",
            },
            purges=[purge_of_mail(self._retention_days)],
        )

    def _routes(self) -> Sequence[Route]:
        from ogel.features.mail.routes import MailRoutes
        from ogel.features.mail.suppressions.routes import SuppressionRoutes

        return [
            *MailRoutes(self.messages, self._templates).routes(),
            *SuppressionRoutes(self.suppressions).routes(),
        ]
