"""An endpoint as callers write and read it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ogel.features.webhooks.health.health import DisabledReason, EndpointHealth
from ogel.features.webhooks.secrets.compatibility import Compatibility
from ogel.features.webhooks.secrets.secret import SecretText, Signing
from ogel.kernel.event import GLOB_PATTERN
from ogel.kernel.text import STORABLE_PATTERN

Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        description="http:// or https://, without user name; its host is read as IDNA 2008 has it, and may be private"
        " only where OGEL_WEBHOOK_ALLOW_NETS opens a network for it.",
    ),
]
Glob = Annotated[str, Meta(pattern=GLOB_PATTERN, description="`order.created`, `storage.*` or `*`.")]
Globs = Annotated[list[Glob], Meta(min_length=1, max_length=100)]
Description = Annotated[str, Meta(max_length=500, pattern=STORABLE_PATTERN)]
MaxInFlight = Annotated[int, Meta(ge=1, le=1000, description="Requests at once, per worker process.")]
TimeoutSeconds = Annotated[
    float, Meta(ge=1, le=30, description="For the whole request, from look-up to answer.")
]
Headers = Annotated[
    dict[str, str],
    Meta(
        max_length=20,
        description="Sent with every request; all of them are replaced at once. Reading masks them.",
    ),
]
Filter = Annotated[
    dict[str, Any],
    Meta(
        description="Only events that fit are heard. Keys are paths (`data.amount`, `data.items.0.sku`, `subject`, "
        "`type`, `id`; `\\.` for a dot in a name), values what must stand there, or operators: `eq ne gt gte lt lte in "
        "nin exists starts_with ends_with contains`. `any` and `all` take lists of filters, `not` takes one. All keys "
        "must hold; nothing holds for what is missing or of another type but `ne`, `nin` and `exists: false`.",
        examples=[{"data.amount": {"gte": 100}, "any": [{"data.status": "paid"}, {"subject": "order/17"}]}],
    ),
]
Payload = Literal["full", "thin"]
OrderedBy = Literal["subject"]
EndpointKind = Literal["url", "listener"]
WantedState = Literal["enabled", "paused"]
State = Literal["enabled", "paused", "disabled"]

DEFAULT_MAX_IN_FLIGHT = 64


class RateLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """
    Applies to all workers together. `burst` is the number of requests allowed at once after a quiet time; the default
    is the number for one second.
    """

    per_second: Annotated[float, Meta(ge=0.01, le=10_000)]
    burst: Annotated[int, Meta(ge=1, le=10_000)] | None = None

    @property
    def burst_or_default(self) -> int:
        return self.burst or max(1, math.ceil(self.per_second))

    @property
    def whole(self) -> RateLimit:
        return RateLimit(self.per_second, self.burst_or_default)


class NewEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A `thin` payload names the event, and its data is read at GET /api/events/{id}. `ordered_by: subject`: of events
    of one subject, one is under way at a time, in order of publishing; events without a subject have no order. A
    `listener` is sent nothing: it asks for its requests (`ogel listen`) and sends them to `url` itself, wherever
    that is. One that has not asked for a minute is deleted.
    """

    url: Url
    events: Globs
    description: Description = ""
    secret: SecretText | None = None
    signing: Signing | None = None
    headers: Headers = msgspec.field(default_factory=dict)
    max_in_flight: MaxInFlight = DEFAULT_MAX_IN_FLIGHT
    timeout_seconds: TimeoutSeconds | None = None
    rate_limit: RateLimit | None = None
    filter: Filter | None = None
    payload: Payload = "full"
    ordered_by: OrderedBy | None = None
    compatibility: Compatibility | None = None
    kind: EndpointKind = "url"


class EndpointChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Fields that are left out stay as they are; `null` removes a rate limit, filter or order. `headers` replaces all
    headers. The deliveries of an endpoint that is paused, or disabled by Ogel, wait until it is enabled again.
    """

    url: Url | UnsetType = UNSET
    events: Globs | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    max_in_flight: MaxInFlight | UnsetType = UNSET
    timeout_seconds: TimeoutSeconds | UnsetType = UNSET
    rate_limit: RateLimit | UnsetType | None = UNSET
    filter: Filter | UnsetType | None = UNSET
    payload: Payload | UnsetType = UNSET
    ordered_by: OrderedBy | UnsetType | None = UNSET
    compatibility: Compatibility | UnsetType | None = UNSET
    state: WantedState | UnsetType = UNSET


class Endpoint(Struct, frozen=True):
    """
    `headers` shows no values, only hints that tell them apart. Ogel sets `disabled` when an endpoint has only failed
    for days (`failing`) or answered 410 (`gone`); it gets no new events until it is enabled again.
    """

    id: str
    url: str
    description: str
    events: list[str]
    state: State
    disabled_reason: DisabledReason | None
    headers: dict[str, str]
    max_in_flight: int
    timeout_seconds: float
    rate_limit: RateLimit | None
    filter: dict[str, Any] | None
    payload: Payload
    ordered_by: OrderedBy | None
    compatibility: Compatibility | None
    kind: EndpointKind
    created_at: datetime
    updated_at: datetime


class EndpointWithHealth(Endpoint, frozen=True):
    health: EndpointHealth


class CreatedEndpoint(Endpoint, frozen=True):
    """The only response with the secret. A receiver of `v1a` only needs `public_key`; `v1` has none."""

    signing: Signing
    secret: str
    public_key: str | None
