"""A message as a worker has it, and what it made of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from ogel.features.messaging.devices.device import Address
from ogel.runtime.delivery.sent import Sent
from ogel.runtime.messaging import Push, Sms


class KnownDevice(Struct, frozen=True):
    """`address` is None when it cannot be unsealed; `seen_at` tells one version of a device from the next."""

    id: str
    address: Address | None
    disabled_reason: str | None
    seen_at: datetime


class Work(Struct, frozen=True):
    """`device` is None for an SMS, and for a device that was deleted."""

    id: str
    channel: str
    recipient: str
    content: Mapping[str, Any]
    lifetime_seconds: int
    queued_at: datetime
    device: KnownDevice | None

    @property
    def hopeless(self) -> str | None:
        """Why there is nothing to try."""
        if self.channel == "sms":
            return None
        if self.device is None:
            return "its device was deleted"
        return self.device.disabled_reason

    def age_seconds(self, now: datetime) -> float:
        return (now - self.queued_at).total_seconds()

    def message(self, now: datetime) -> Sms | Push[Any] | None:
        """As providers take it; None when its device cannot be read."""
        if self.channel == "sms":
            return Sms(self.id, self.recipient, self.content["text"])
        address = self.device.address if self.device else None
        if address is None:
            return None
        # What it waited here is part of the time it may take.
        wanted = self.content["ttl_seconds"]
        ttl = self.lifetime_seconds if wanted is None else wanted
        left = max(0, int(ttl - self.age_seconds(now)))
        content = self.content
        return Push(self.id, address, content["title"], content["body"], content["data"], left)


class Pushed(Sent, frozen=True):
    """`gone`: the device that was asked for is not there any more, and what said so."""

    gone: KnownDevice | None = None
    reason: str = ""
