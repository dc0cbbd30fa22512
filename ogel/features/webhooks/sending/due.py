"""The input of one attempt of a delivery, and its result."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct

from ogel.features.webhooks.deliveries.delivery import DeliveryStatus
from ogel.features.webhooks.health.watch import Sign
from ogel.features.webhooks.sending.receiver import Receiver
from ogel.kernel.event import Event


class DueDelivery(Struct, frozen=True, gc=False):
    """
    Everything an attempt needs, so that performing it touches no database. A thin payload's event comes without its
    data. `receiver` is None when its secrets or headers cannot be unsealed. `is_one_off`: its endpoint is there
    for a test of a URL only.
    """

    delivery_id: str
    attempts_before: int
    began_at: datetime
    is_ailing: bool
    breaker_is_open: bool
    is_one_off: bool
    event: Event
    receiver: Receiver | None


class LoggedAttempt(Struct, frozen=True, gc=False, omit_defaults=True):
    """An attempt on its way into the log; `number` counts over the delivery's whole life."""

    delivery_id: str
    number: int
    outcome: str
    started_at: datetime
    duration_seconds: float | None = None
    reason: str | None = None
    detail: str | None = None
    request_headers: Raw | None = None
    response_status: int | None = None
    response_headers: list[tuple[str, str]] | None = None
    response_body: str | None = None
    response_cut: bool = False
    peer: str | None = None
    dns_seconds: float | None = None
    connect_seconds: float | None = None
    tls_seconds: float | None = None
    first_byte_seconds: float | None = None


class LostAttempt(Struct, frozen=True, gc=False):
    """An attempt whose worker disappeared before it could record the outcome."""

    delivery_id: str
    started_at: datetime


class AttemptResult(Struct, frozen=True, gc=False):
    """What the outcome of an attempt carries to where it is recorded."""

    row: LoggedAttempt
    sign: Sign
    is_one_off: bool = False


class DeliveryState(Struct, frozen=True, gc=False):
    """The state of a delivery after an attempt."""

    id: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
