"""The events about messages and devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.messaging.devices.device import Device
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Transaction
from ogel.runtime.outbox import Outbox

SENT, FAILED, DEVICE_GONE = "message.sent", "message.failed", "device.gone"


class MessageEvents:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def ended(self, tx: Transaction, messages: Sequence[Mapping[str, Any]]) -> None:
        """Publishes `message.sent` or `message.failed` with facts about each message, never its content."""
        await self._publish(
            tx, [_event(SENT if each["status"] == "sent" else FAILED, each, each["id"]) for each in messages]
        )

    async def gone(self, tx: Transaction, devices: Sequence[Device]) -> None:
        """Publishes `device.gone`; its subject is the device's own, if it has one."""
        facts = [
            {
                "id": each.id,
                "provider": each.provider,
                "subject": each.subject,
                "reason": each.disabled_reason,
            }
            for each in devices
        ]
        await self._publish(tx, [_event(DEVICE_GONE, each, each["subject"]) for each in facts])

    async def _publish(self, tx: Transaction, events: Sequence[Event]) -> None:
        if events:
            await self._outbox.publish(tx, events)


def _event(type: str, data: Mapping[str, Any], subject: str | None) -> Event:
    return Event(new_id("evt"), type, msgspec.json.encode(data), subject, utc_now())
