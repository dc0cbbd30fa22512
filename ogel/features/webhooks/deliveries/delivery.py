"""A delivery as callers read it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

DeliveryStatus = Literal["pending", "delivered", "failed", "cancelled"]
Outcome = Literal["delivered", "failed", "unknown"]


class Delivery(Struct, frozen=True):
    """`failed` is final: no attempts are left. Until then a delivery whose attempts failed is `pending`."""

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
    """Seconds per phase; null for a phase that was not reached or not needed, as on a connection that was open."""

    dns: float | None
    connect: float | None
    tls: float | None
    first_byte: float | None


class DeliveryAttempt(Struct, frozen=True):
    """
    One HTTP request. `reason` is set for failures: `status`, `redirect`, `timeout`, `dns`, `connect`, `tls`, …
    `unknown` means that it is under way, or that its worker disappeared before it could record the outcome.
    `request_headers` shows only the names of the endpoint's own headers.
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


class Waiting(Struct, frozen=True):
    """Deliveries are counted up to 10,000; with `more` there are others."""

    deliveries: int
    more: bool
