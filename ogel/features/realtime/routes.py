"""Streams: `/realtime/websocket` and `/realtime/sse`, each a subscription to the types `?events=` names."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Annotated

import msgspec
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from ogel.kernel.errors import Invalid
from ogel.kernel.event import GLOB_PATTERN
from ogel.runtime.http.auth import Authenticate, admit, bearer_key
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.input import decode_query
from ogel.runtime.http.problem import MethodNotAllowed
from ogel.runtime.realtime.hub import Hub
from ogel.runtime.realtime.sse import serve_sse
from ogel.runtime.realtime.subscription import Subscription
from ogel.runtime.realtime.websocket import serve_websocket

SCOPE = "realtime:read"
MAX_GLOBS = 50

_GLOB = re.compile(GLOB_PATTERN)


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key` is for browsers, whose WebSocket and EventSource can send no header."""

    events: Annotated[str, msgspec.Meta(max_length=8192)] = "*"
    key: str | None = None


def streams(hub: Hub, authenticate: Authenticate) -> list[BaseRoute]:
    door = _Door(hub, authenticate)
    return [
        WebSocketRoute("/realtime/websocket", _WebSocket(door)),
        Route("/realtime/sse", _EventStream(door)),
    ]


class _Door:
    """Who comes in, and what they will hear. What is refused is refused before the stream begins."""

    def __init__(self, hub: Hub, authenticate: Authenticate) -> None:
        self._hub = hub
        self._authenticate = authenticate

    async def enter(self, scope: Scope) -> AbstractContextManager[Subscription]:
        query: StreamQuery = decode_query(StreamQuery, scope["query_string"])
        key = bearer_key(scope) or query.key
        exchange = exchange_of(scope)
        exchange.principal = await admit(key, SCOPE, self._authenticate, exchange.caller)
        return self._hub.subscribe(_globs(query.events))


class _WebSocket:
    def __init__(self, door: _Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with await self._door.enter(scope) as subscription:
            await serve_websocket(subscription, receive, send)


class _EventStream:
    def __init__(self, door: _Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not even HEAD: it would be answered by a stream that never ends and that nobody sees.
        if scope["method"] != "GET":
            raise MethodNotAllowed(scope["method"], "GET")
        with await self._door.enter(scope) as subscription:
            await serve_sse(subscription, receive, send)


def _globs(events: str) -> list[str]:
    globs = events.split(",")
    if len(globs) > MAX_GLOBS:
        raise Invalid.field("query.events", f"names more than {MAX_GLOBS} globs")
    for glob in globs:
        if not _GLOB.fullmatch(glob):
            raise Invalid.field("query.events", f"{glob[:100]!r} is not an event type or glob")
    return globs
