"""A delivery as callers read it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

DeliveryStatus = Literal["pending", "delivered", "failed", "cancelled"]
Outcome = Literal["delivered", "failed", "unknown"]


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


class Timings(Struct, frozen=True):
    """Seconds per phase; null: not reached, or not needed, as on a connection that was open."""

    dns: float | None
    connect: float | None
    tls: float | None
    first_byte: float | None


class DeliveryAttempt(Struct, frozen=True):
    """
    One HTTP request. `reason` is set for failures: `status`, `redirect`, `timeout`, `dns`, `connect`, `tls`, …
    `unknown`: it is under way, or whoever made it disappeared before it could say how it ended.
    Of the endpoint's own headers, `request_headers` shows the names.
    """

    id: str
    number: int
    outcome: Outcome
    reason: str | None
    detail: str | None
    request_headers: list[tuple[str, str]]
    response_status: int | None
    response_headers: list[tuple[str, str]]
    response_body: str | None
    response_cut: bool
    peer: str | None
    started_at: datetime
    duration_seconds: float | None
    timings: Timings


class DeliveryWithAttempts(Delivery, frozen=True):
    log: list[DeliveryAttempt]
