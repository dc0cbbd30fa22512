"""A delivery as callers read it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

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
