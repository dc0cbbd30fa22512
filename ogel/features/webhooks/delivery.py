"""A delivery as callers read it, and what one attempt of it needs and leaves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from ogel.kernel.event import Event

DeliveryStatus = Literal["pending", "delivered", "failed", "cancelled"]


class Delivery(Struct, frozen=True):
    """`failed` is final: no attempts are left; until then a delivery that met a failure is `pending`."""

    id: str
    event: str
    event_type: str
    webhook: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    finished_at: datetime | None
    created_at: datetime


class Attempt(Struct, frozen=True):
    """One HTTP request. `reason` is set for failures: `status`, `redirect`, `timeout`, `dns`, `connect`, `tls`, …"""

    id: str
    number: int
    outcome: Literal["delivered", "failed"]
    reason: str | None
    detail: str | None
    response_status: int | None
    response_body: str | None
    response_cut: bool
    peer: str | None
    started_at: datetime
    duration_seconds: float


class DeliveryWithAttempts(Delivery, frozen=True):
    log: list[Attempt]


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


class NewDelivery(Struct, frozen=True):
    id: str
    event_id: str
    webhook_id: str


class AttemptResult(Attempt, frozen=True):
    """An attempt on its way into the log; `number` counts over the delivery's whole life."""

    delivery_id: str


class Settled(Struct, frozen=True):
    """Where a delivery stands after an attempt."""

    id: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
