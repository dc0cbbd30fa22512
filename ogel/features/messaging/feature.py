"""The manifest of messaging, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ogel.features.messaging.devices.device import device_purpose
from ogel.features.messaging.devices.purge import purge_of_devices
from ogel.features.messaging.devices.service import DeviceService
from ogel.features.messaging.devices.store import DeviceStore
from ogel.features.messaging.messages.events import DEVICE_GONE, FAILED, SENT, MessageEvents
from ogel.features.messaging.messages.purges import purges_of_messages
from ogel.features.messaging.messages.service import MessageService
from ogel.features.messaging.messages.store import MessageStore
from ogel.features.messaging.sending.jobs import Send
from ogel.features.messaging.sending.senders import MessageProviders, Senders
from ogel.features.messaging.sending.store import SendingStore
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.delivery.providers import ProviderMetrics
from ogel.runtime.egress import UrlGuard
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.admission import Admit
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.secrets.sealed import SealedColumn
from ogel.runtime.secrets.vault import Vault

SEALED = [SealedColumn("devices", "id", "sealed", owner="id", purpose=device_purpose)]


@dataclass(frozen=True, slots=True)
class MessagingOptions:
    """
    lifetime_seconds  after which a message that could not be sent has failed.
    retention_days    how long messages that are over are remembered, and devices that are gone.
    """

    lifetime_seconds: int
    retention_days: float


class MessagingFeature:
    """Builds the services; touches nothing before one of them is called."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        outbox: Outbox,
        audit: AuditTrail,
        guard: UrlGuard,
        vault: Vault,
        providers: MessageProviders,
        metrics: ProviderMetrics,
        admit: Admit,
        options: MessagingOptions,
    ) -> None:
        devices, messages, events = DeviceStore(), MessageStore(), MessageEvents(outbox)
        self._vapid_public_key = providers.vapid_public_key
        self.devices = DeviceService(database, devices, vault, guard, audit, providers.device_kinds)
        self.messages = MessageService(
            database,
            messages,
            devices,
            jobs,
            events,
            audit,
            admit,
            takes_sms=bool(providers.sms),
            lifetime_seconds=options.lifetime_seconds,
        )
        self._send = Send(SendingStore(vault), messages, devices, events, Senders(providers, metrics))
        self._retention_days = options.retention_days

    def feature(self) -> Feature:
        return Feature(
            name="messaging",
            routes=self._routes,
            jobs=[self._send.kind()],
            sealed=SEALED,
            events={
                SENT: "a provider has taken a text or push",
                FAILED: "a text or push was refused for good, or given up",
                DEVICE_GONE: "a device cannot be reached any more, and was disabled",
            },
            purges=[*purges_of_messages(self._retention_days), purge_of_devices(self._retention_days)],
        )

    def _routes(self) -> Sequence[Route]:
        from ogel.features.messaging.devices.routes import DeviceRoutes
        from ogel.features.messaging.messages.routes import MessageRoutes

        return [
            *MessageRoutes(self.messages, self._vapid_public_key).routes(),
            *DeviceRoutes(self.devices).routes(),
        ]
