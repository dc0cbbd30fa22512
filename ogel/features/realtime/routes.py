"""Streams: `/realtime/websocket` and `/realtime/sse`, each a subscription to the types `?events=` names."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated

import msgspec
from starlette.types import Receive, Scope, Send

from ogel.features.realtime.listening import Presence
from ogel.kernel.errors import Invalid
from ogel.kernel.event import GLOB_PATTERN
from ogel.kernel.principal import Principal
from ogel.runtime.http.auth import Authenticate, Ending, Watch, admit, bearer_key
from ogel.runtime.http.exchange import exchange_of, hang_up_soon
from ogel.runtime.http.input import decode_query
from ogel.runtime.http.problem import MethodNotAllowed
from ogel.runtime.http.route import Stream
from ogel.runtime.realtime.hub import Hub
from ogel.runtime.realtime.sse import serve_sse
from ogel.runtime.realtime.subscription import Reason, Subscription
from ogel.runtime.realtime.websocket import serve_websocket

SCOPE = "realtime:read"
MAX_GLOBS = 50
# Whoever is sent away for their key gets this long to read why, and is cut off if they do not.
LAST_WORDS_SECONDS = 0.5

_GLOB = re.compile(GLOB_PATTERN)


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key` is for browsers, whose WebSocket and EventSource can send no header."""

    events: Annotated[
        str, msgspec.Meta(max_length=8192, description="Up to 50 types or globs, separated by commas.")
    ] = "*"
    key: str | None = None


def streams(hub: Hub, presence: Presence, authenticate: Authenticate, watch: Watch) -> list[Stream]:
    door = _Door(hub, presence, authenticate, watch)
    return [
        Stream("/realtime/websocket", _WebSocket(door), SCOPE, "Hear events over a WebSocket", StreamQuery),
        Stream("/realtime/sse", _EventStream(door), SCOPE, "Hear events as server-sent events", StreamQuery,
               "text/event-stream"),
    ]  # fmt: skip


class _Door:
    """Who comes in, and what they will hear. What is refused is refused before the stream begins."""

    def __init__(self, hub: Hub, presence: Presence, authenticate: Authenticate, watch: Watch) -> None:
        self._hub = hub
        self._presence = presence
        self._authenticate = authenticate
        self._watch = watch

    @asynccontextmanager
    async def entered(self, scope: Scope) -> AsyncIterator[Subscription]:
        query: StreamQuery = decode_query(StreamQuery, scope["query_string"])
        key = bearer_key(scope) or query.key
        exchange = exchange_of(scope)
        exchange.principal = await admit(key, SCOPE, self._authenticate, exchange.caller)
        with self._subscribed(_globs(query.events), exchange.principal, scope) as subscription:
            async with self._presence.somebody():
                yield subscription

    @contextmanager
    def _subscribed(self, globs: list[str], principal: Principal, scope: Scope) -> Iterator[Subscription]:
        """For as long as the block, or until the principal's key ends."""
        with self._hub.subscribe(globs) as subscription:

            def key_ended(ending: Ending) -> None:
                self._hub.end(subscription, Reason(ending))
                hang_up_soon(scope, LAST_WORDS_SECONDS)

            forget = self._watch.watch(principal, SCOPE, key_ended)
            try:
                yield subscription
            finally:
                forget()


class _WebSocket:
    def __init__(self, door: _Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._door.entered(scope) as subscription:
            await serve_websocket(subscription, receive, send)


class _EventStream:
    def __init__(self, door: _Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not even HEAD: it would be answered by a stream that never ends and that nobody sees.
        if scope["method"] != "GET":
            raise MethodNotAllowed(scope["method"], "GET")
        async with self._door.entered(scope) as subscription:
            await serve_sse(subscription, receive, send)


def _globs(events: str) -> list[str]:
    globs = events.split(",")
    if len(globs) > MAX_GLOBS:
        raise Invalid.field("query.events", f"names more than {MAX_GLOBS} globs")
    for glob in globs:
        if not _GLOB.fullmatch(glob):
            raise Invalid.field("query.events", f"{glob[:100]!r} is not an event type or glob")
    return globs
