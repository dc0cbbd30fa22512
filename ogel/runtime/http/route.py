"""A route as a feature declares it; the shell in app.py does everything around the handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from starlette.types import ASGIApp

from ogel.kernel.principal import Caller, Principal

Body = TypeVar("Body")
Query = TypeVar("Query")

# For the fields of inputs and outputs: a time without its offset is refused, and OpenAPI says `date-time`.
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class Call(Generic[Body, Query]):
    """One authenticated, validated request. `path` holds the path parameters."""

    caller: Caller
    path: Mapping[str, str]
    body: Body
    query: Query
    idempotency_key: str | None = None

    @property
    def principal(self) -> Principal:
        return self.caller.principal


@dataclass(frozen=True, slots=True)
class Reply:
    """For a handler that must choose its own status or headers; most just return their value."""

    value: object
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """A body that is not JSON, for a handler to return."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Items:
    """Of a body that may be one, or an array of up to `most`, with at most `max_bytes` of JSON each."""

    type: Any
    most: int
    max_bytes: int


Handler = Callable[[Call[Any, Any]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Route:
    """
    method, path    `GET`, `/api/webhooks/{id}` (parameters are whole segments).
    handler         gets a `Call`, returns a msgspec-encodable value, a `Reply`, a `Text`, or None (204).
    scope           what the caller must hold (`webhooks:read`); None leaves the route open to everyone.
    body, query     msgspec types to decode and validate into; None: no body is read, no parameter taken.
                    A query is a struct with `forbid_unknown_fields` (for lists: pagination.PageQuery).
    returns         type of what the handler returns, for the OpenAPI document; `Text` when that is not JSON.
    status          on success, when the handler does not say otherwise.
    also            types of what it returns with another status of success, by status, for the document.
    body_optional   an empty body is None instead of an error.
    max_body_bytes  a larger body is answered with 413; None: whatever the process takes (OGEL_MAX_BODY_BYTES).
    items           of a body that may be an array of many: large ones are decoded item by item.
    idempotent      it takes an `Idempotency-Key` header and hands it to the handler.
    name            the operation's id in the OpenAPI document, where method and path give one that another has.
    media_type      of a `Text`.
    """

    method: str
    path: str
    handler: Handler
    scope: str | None
    summary: str
    returns: Any = None
    body: Any = None
    query: Any = None
    status: int = 200
    body_optional: bool = False
    max_body_bytes: int | None = 128 * 1024
    items: Items | None = None
    also: Mapping[int, Any] = field(default_factory=dict)
    idempotent: bool = False
    name: str | None = None
    media_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Stream:
    """
    A way in that goes on, and that authenticates by itself (see auth.py).

    path, app            `GET` at this path is the ASGI application's.
    scope, query         what it asks for and takes, for the OpenAPI document; a field `key` stands in for the header.
    media_type           of what a response streams; None: it is a WebSocket.
    """

    path: str
    app: ASGIApp
    scope: str
    summary: str
    query: Any
    media_type: str | None = None
