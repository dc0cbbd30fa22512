"""The manifest of messaging, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.messaging.devices.device import device_purpose
from ogel.features.messaging.devices.purge import purge_of_devices
from ogel.features.messaging.devices.service import DeviceService
from ogel.features.messaging.devices.store import DeviceStore
from ogel.features.messaging.messages.events import DEVICE_GONE, FAILED, SENT, MessageEvents
from ogel.features.messaging.messages.purges import purges_of_messages
from ogel.features.messaging.messages.service import MessageService
from ogel.features.messaging.messages.store import MessageStore
from ogel.features.messaging.providers import message_providers
from ogel.features.messaging.sending.jobs import Send
from ogel.features.messaging.sending.senders import MessageProviders, Senders
from ogel.features.messaging.sending.store import DueMessageStore
from ogel.features.messaging.settings import MessagingSettings
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.secrets.sealed import SealedColumn

SEALED = [SealedColumn("devices", "id", "sealed", owner="id", purpose=device_purpose)]


class MessagingFeature:
    """Builds the services when they are first used."""

    def __init__(self, core: Core, settings: MessagingSettings, providers: MessageProviders) -> None:
        devices, messages, events = DeviceStore(), MessageStore(), MessageEvents(core.outbox)
        self._vapid_public_key = providers.vapid_public_key
        self.devices = DeviceService(
            core.database, devices, core.vault, core.url_guard, core.audit, providers.device_kinds
        )
        self.messages = MessageService(
            core.database,
            messages,
            devices,
            core.jobs,
            events,
            core.audit,
            core.pressure.admit,
            takes_sms=bool(providers.sms),
            lifetime_seconds=settings.lifetime_seconds,
        )
        self.send = Send(
            DueMessageStore(core.vault), devices, events, Senders(providers, core.provider_metrics)
        )

    def routes(self) -> Sequence[Route]:
        from ogel.features.messaging.devices.routes import DeviceRoutes
        from ogel.features.messaging.messages.routes import MessageRoutes

        return [
            *MessageRoutes(self.messages, self._vapid_public_key).routes(),
            *DeviceRoutes(self.devices).routes(),
        ]


def build(core: Core, settings: MessagingSettings) -> Feature:
    providers = message_providers(settings, core.outgoing, core.egress)
    messaging = MessagingFeature(core, settings, providers)
    return Feature(
        name="messaging",
        routes=messaging.routes,
        scopes={
            "messaging:read": "look at messages and devices",
            "messaging:write": "send them, register devices",
        },
        jobs=[messaging.send.kind()],
        events={
            SENT: "a provider has taken a text or push",
            FAILED: "a text or push was refused for good, or given up",
            DEVICE_GONE: "a device cannot be reached any more, and was disabled",
        },
        purges=[*purges_of_messages(settings.retention_days), purge_of_devices(settings.retention_days)],
        tables=["devices", "message_attempts", "message_requests", "messages"],
        sealed=SEALED,
        settings=settings,
        offers=messaging,
    )
