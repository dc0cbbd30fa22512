"""Reads a request's body as its route wants it: decoded within limits, or as a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_network
from typing import Any

from msgspec import Struct
from starlette.types import Receive, Scope

from ogel.runtime.http.bodies import BodyDecoder
from ogel.runtime.http.body import read_body
from ogel.runtime.http.digests import promised
from ogel.runtime.http.exchange import Network, exchange_of, header
from ogel.runtime.http.input import decode_form
from ogel.runtime.http.problem import UnsupportedMedia
from ogel.runtime.http.route import Form, Route, Streaming
from ogel.runtime.http.streamed import BodyStream

FORM = "application/x-www-form-urlencoded"

BodyReader = Callable[[Scope, Receive], Awaitable[Any]]


class HttpOptions(Struct, frozen=True):
    """
    max_body_bytes         a larger request body is answered with 413, whatever its route says.
    body_timeout_seconds   a body that takes longer to arrive is answered with 408.
    trusted_proxies        peers whose `X-Real-IP` is believed; the default is Railway's edge.
    origins                of pages that may use what is served here. Empty: those that each dialect says, and none may
                           use Ogel's own API.
    """

    max_body_bytes: int = 1024 * 1024
    body_timeout_seconds: float = 15.0
    trusted_proxies: Sequence[Network] = (ip_network("100.64.0.0/10"),)
    origins: Sequence[str] = ()


def body_reader(route: Route, strict: bool, options: HttpOptions) -> BodyReader | None:
    """Returns the reader of the route's body; None: it takes no body."""
    most = min(options.max_body_bytes, route.access.max_body_bytes or options.max_body_bytes)
    seconds = options.body_timeout_seconds
    if route.body is None:
        return None
    if isinstance(route.body, Streaming):
        # A streamed body is not held in memory, so it may exceed the process's limit.
        most = route.access.max_body_bytes or options.max_body_bytes
        return _streams(most, seconds, route.body)
    if isinstance(route.body, Form):
        return _forms(route.body.type, strict, most, seconds)
    return _json(route, most, seconds)


def _json(route: Route, most: int, seconds: float) -> BodyReader:
    decoder = BodyDecoder(route)

    async def read(scope: Scope, receive: Receive) -> Any:
        raw = await read_body(scope, receive, most, seconds)
        return None if route.body_optional and not raw else await decoder.decode(raw)

    return read


def _forms(kind: Any, strict: bool, most: int, seconds: float) -> BodyReader:
    async def read(scope: Scope, receive: Receive) -> Any:
        media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
        if media_type != FORM:
            raise UnsupportedMedia(FORM)
        return decode_form(kind, await read_body(scope, receive, most, seconds), strict=strict)

    return read


def _streams(most: int, seconds: float, wanted: Streaming) -> BodyReader:
    async def read(scope: Scope, receive: Receive) -> BodyStream:
        exchange = exchange_of(scope)
        exchange.lasting = True
        digests = promised(exchange.headers, scope["method"]) if wanted.checked else ()
        return BodyStream(scope, receive, most, seconds, digests, wanted.around_bytes)

    return read
