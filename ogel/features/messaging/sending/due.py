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
    """`address` is None when it cannot be unsealed; `seen_at` identifies the version of the device."""

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
        """Returns why the message cannot be sent at all, or None."""
        if self.channel == "sms":
            return None
        if self.device is None:
            return "its device was deleted"
        return self.device.disabled_reason

    def message(self) -> Sms | Push[Any] | None:
        """Returns the message for providers; None when its device cannot be unsealed."""
        if self.channel == "sms":
            return Sms(self.id, self.recipient, self.content["text"])
        address = self.device.address if self.device else None
        if address is None:
            return None
        # The time spent waiting here counts towards its lifetime.
        wanted = self.content["ttl_seconds"]
        ttl = self.lifetime_seconds if wanted is None else wanted
        left = max(0, int(ttl - self.age_seconds))
        content = self.content
        return Push(self.id, address, content["title"], content["body"], content["data"], left)


class GoneResult(SendResult, frozen=True, kw_only=True):
    """The provider reports that the device, as `device` describes it, no longer exists."""

    device: GoneDevice
