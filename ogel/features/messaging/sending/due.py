"""A message as a worker has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from ogel.features.messaging.devices.device import Address
from ogel.features.messaging.devices.store import GoneDevice
from ogel.runtime.delivery.messages import SendResult
from ogel.runtime.delivery.policy import QueuedMessage
from ogel.runtime.messaging import Push, Sms


class KnownDevice(Struct, frozen=True):
    """`address` is None when it cannot be unsealed; `seen_at` tells one version of a device from the next."""

    id: str
    address: Address | None
    disabled_reason: str | None
    seen_at: datetime


class DueMessage(QueuedMessage, frozen=True):
    """`device` is None for an SMS, and for a device that was deleted."""

    id: str
    channel: str
    recipient: str
    content: Mapping[str, Any]
    device: KnownDevice | None

    @property
    def hopeless(self) -> str | None:
        """Why there is nothing to try."""
        if self.channel == "sms":
            return None
        if self.device is None:
            return "its device was deleted"
        return self.device.disabled_reason

    def message(self) -> Sms | Push[Any] | None:
        """As providers take it; None when its device cannot be read."""
        if self.channel == "sms":
            return Sms(self.id, self.recipient, self.content["text"])
        address = self.device.address if self.device else None
        if address is None:
            return None
        # What it waited here is part of the time it may take.
        wanted = self.content["ttl_seconds"]
        ttl = self.lifetime_seconds if wanted is None else wanted
        left = max(0, int(ttl - self.age_seconds))
        content = self.content
        return Push(self.id, address, content["title"], content["body"], content["data"], left)


class GoneResult(SendResult, frozen=True, kw_only=True):
    """The device that was asked for is not there any more, as `device` says."""

    device: GoneDevice
