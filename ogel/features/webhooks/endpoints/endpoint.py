"""An endpoint as callers write and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ogel.kernel.event import GLOB_PATTERN
from ogel.kernel.text import STORABLE_PATTERN

Url = Annotated[
    str, Meta(min_length=1, max_length=2048, description="http:// or https://, without user name.")
]
Glob = Annotated[str, Meta(pattern=GLOB_PATTERN, description="`order.created`, `storage.*` or `*`.")]
Globs = Annotated[list[Glob], Meta(min_length=1, max_length=100)]
Description = Annotated[str, Meta(max_length=500, pattern=STORABLE_PATTERN)]
Secret = Annotated[
    str, Meta(min_length=24, max_length=100, description="`whsec_` and 24 to 64 bytes in base64.")
]
MaxInFlight = Annotated[int, Meta(ge=1, le=1000, description="Requests at once, per worker process.")]
TimeoutSeconds = Annotated[
    float, Meta(ge=1, le=30, description="For the whole request, from look-up to answer.")
]
Headers = Annotated[dict[str, str], Meta(max_length=20, description="Sent with every request.")]
State = Literal["enabled", "paused"]

DEFAULT_MAX_IN_FLIGHT = 64


class NewEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: Url
    events: Globs
    description: Description = ""
    secret: Secret | None = None
    headers: Headers = msgspec.field(default_factory=dict)
    max_in_flight: MaxInFlight = DEFAULT_MAX_IN_FLIGHT
    timeout_seconds: TimeoutSeconds | None = None


class EndpointChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is named changes. A paused endpoint's deliveries wait until it is enabled again."""

    url: Url | UnsetType = UNSET
    events: Globs | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    max_in_flight: MaxInFlight | UnsetType = UNSET
    timeout_seconds: TimeoutSeconds | UnsetType = UNSET
    state: State | UnsetType = UNSET


class Endpoint(Struct, frozen=True):
    id: str
    url: str
    description: str
    events: list[str]
    state: State
    headers: dict[str, str]
    max_in_flight: int
    timeout_seconds: float
    created_at: datetime
    updated_at: datetime


class CreatedEndpoint(Endpoint, frozen=True):
    """The only answer that shows the secret."""

    secret: str
