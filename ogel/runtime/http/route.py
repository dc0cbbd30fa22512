"""Routes and streams as features declare them. The shell in app.py does everything around the handler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from starlette.types import Receive, Scope, Send

from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.access import Access
from ogel.runtime.http.cookies import Cookie
from ogel.runtime.http.exchange import Network
from ogel.runtime.http.ranges import Validators

Body = TypeVar("Body")
Query = TypeVar("Query")

NO_VALIDATORS = Validators()

# A time in inputs and outputs: one without an offset is refused, and OpenAPI says `date-time`.
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]


class Call(msgspec.Struct, Generic[Body, Query], frozen=True):
    """One admitted, validated request. `path` has the path parameters, `headers` are keyed by lower-case name."""

    caller: Caller
    path: Mapping[str, str]
    body: Body
    query: Query
    idempotency_key: str | None = None
    headers: Mapping[bytes, bytes] = {}

    @property
    def principal(self) -> Principal:
        return self.caller.principal

    def header(self, name: str) -> str | None:
        """Returns the first header of that name."""
        value = self.headers.get(name.lower().encode("latin-1"))
        return None if value is None else str(value, "latin-1")


class Reply(msgspec.Struct, frozen=True):
    """Returned by handlers that choose their own status or headers; most return just their value."""

    value: object
    status: int | None = None
    headers: Mapping[str, str] = {}
    cookies: Sequence[Cookie] = ()


class Text(msgspec.Struct, frozen=True):
    """A text body that is not JSON, returned by a handler."""

    content: bytes
    media_type: str


class Redirect(msgspec.Struct, frozen=True):
    """
    A redirect to `url`, returned by a handler. Clients follow 302 and 303 with GET, 307 and 308 with the same method.
    """

    url: str
    status: Literal[301, 302, 303, 307, 308] = 302


class Chunks(msgspec.Struct, frozen=True):
    """A body in chunks, returned by a handler and sent as fast as the client reads. `length` is in bytes."""

    content: AsyncIterator[bytes]
    media_type: str
    length: int | None = None


class Content(msgspec.Struct, frozen=True):
    """
    For a handler to return: bytes that we hold, of which a client may ask for a part, or only if they have changed
    (RFC 9110 §13, §14); the shell answers 206, 304, 412 and 416.

    read        gets the first byte and the one behind the last, and yields what is between.
    validators  what tells this version from others.
    sha256      of all of it, for clients to check what they got (RFC 9530); None: unknown.
    elsewhere   a URL that answers a GET for it in our place, where clients are sent; None: we answer.
    """

    size: int
    media_type: str
    read: Callable[[int, int], AsyncIterator[bytes]]
    validators: Validators = NO_VALIDATORS
    sha256: bytes | None = None
    elsewhere: str | None = None


class Items(msgspec.Struct, frozen=True):
    """A JSON body of one item or an array of up to `most`, with at most `max_bytes` of JSON per item."""

    type: Any
    most: int
    max_bytes: int


class Form(msgspec.Struct, frozen=True):
    """For `Route.body`: an application/x-www-form-urlencoded body, as a struct of that type or `input.Pairs`."""

    type: Any


class Streaming(msgspec.Struct, frozen=True):
    """
    For `Route.body`: any bytes, read as they arrive. The handler gets a `BodyStream`; `multipart_body.parts` splits it
    into parts. Its limit is the one of its Access, which may exceed the process's limit.

    checked       the body is held against the digests that came with it: at its end, iterating raises DigestMismatch.
    around_bytes  how much of the limit is for what a form has around its content: who is told the limit is told the
                  content's.
    """

    media_type: str = "application/octet-stream"
    checked: bool = False
    around_bytes: int = 0


Handler = Callable[[Call[Any, Any]], Awaitable[object]]


class Route(msgspec.Struct, frozen=True):
    """
    method, path    `GET`, `/api/webhooks/{id}` (parameters are whole segments; `{key:path}` is all the rest).
    handler         gets a `Call`, returns a value that msgspec encodes, `Reply`, `Text`, `Redirect`, `Chunks`,
                    `Content`, or None (204).
    access          who may ask, and how much.
    body, query     msgspec types to decode and validate into; None: no body is read, no parameter taken.
                    A body may also be a `Form` or `Streaming`. A query is a struct with `forbid_unknown_fields`
                    (for lists: pagination.PageQuery), or `input.Pairs`.
    returns         type of what the handler returns, for the OpenAPI document; `Text` when that is not JSON.
    status          on success, when the handler does not say otherwise.
    also            types of what it returns with another status of success, by status, for the document.
    body_optional   an empty body is None instead of an error.
    items           of a body that may be an array of many: large ones are decoded item by item.
    idempotent      it takes an `Idempotency-Key` header and hands it to the handler.
    name            the operation's id in the OpenAPI document, where method and path give one that another has.
    media_type      of a `Text`.
    head            of a GET: HEAD is answered, too. False where asking changes something.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    returns: Any = None
    body: Any = None
    query: Any = None
    status: int = 200
    body_optional: bool = False
    items: Items | None = None
    also: Mapping[int, Any] = {}
    idempotent: bool = False
    name: str | None = None
    media_type: str = "text/plain"
    head: bool = True


# The handler of a stream: it gets a call without a body, and the ASGI connection to continue on.
StreamHandler = Callable[[Call[None, Any], Scope, Receive, Send], Awaitable[None]]


class Stream(msgspec.Struct, frozen=True):
    """
    A way in that goes on.

    path        `GET` there opens it.
    handler     is called once the caller is let in; before it sends anything it may refuse as a route does.
    access      as of a route. Browsers may send their key as `?key=`.
    query       as of a route.
    media_type  of what a response streams; None: it is a WebSocket.
    described   False: its clients know it from another product, and the OpenAPI document leaves it out.
    """

    path: str
    handler: StreamHandler
    access: Access
    summary: str
    query: Any
    media_type: str | None = None
    described: bool = True


class Mount(msgspec.Struct, frozen=True):
    """
    All that a dialect has below its prefix, handed on as it comes, whatever the method.

    handler   an ASGI application, for requests and WebSockets of callers who are let in.
    access    as of a route; its limit of the body is for the handler to keep.
    networks  from where callers may come, before anything else is asked; empty: from everywhere.
    """

    handler: Callable[[Scope, Receive, Send], Awaitable[None]]
    access: Access
    networks: Sequence[Network] = ()
