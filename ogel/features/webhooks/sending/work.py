"""What one attempt of a delivery needs, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from ogel.features.webhooks.deliveries.delivery import Attempt, DeliveryStatus
from ogel.kernel.event import Event


class Work(Struct, frozen=True):
    """Everything an attempt needs, so that performing it touches no database."""

    delivery_id: str
    event: Event
    webhook_id: str
    url: str
    state: str
    sealed_secret: bytes
    headers: Mapping[str, str]
    timeout_seconds: float
    attempts_before: int


class AttemptResult(Attempt, frozen=True):
    """An attempt on its way into the log; `number` counts over the delivery's whole life."""

    delivery_id: str


class Settled(Struct, frozen=True):
    """Where a delivery stands after an attempt."""

    id: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
