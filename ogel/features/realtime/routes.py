"""Streams: `/realtime/websocket` and `/realtime/sse`. Each subscribes to the event types given in `?events=`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec
from starlette.types import Receive, Scope, Send

from ogel.features.realtime.listening import Presence
from ogel.kernel.errors import Invalid
from ogel.kernel.event import GLOB_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.admission import Ending, Watch
from ogel.runtime.http.exchange import hang_up_soon
from ogel.runtime.http.route import Call, Stream
from ogel.runtime.realtime.hub import Hub
from ogel.runtime.realtime.sse import serve_sse
from ogel.runtime.realtime.subscription import Reason, Subscription
from ogel.runtime.realtime.websocket import serve_websocket

SCOPE = "realtime:read"
MAX_GLOBS = 50
# A client whose key ended gets this long to read the reason before its connection is cut.
LAST_WORDS_SECONDS = 0.5

_GLOB = re.compile(GLOB_PATTERN)


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    events: Annotated[
        str, msgspec.Meta(max_length=8192, description="Up to 50 types or globs, separated by commas.")
    ] = "*"


Opening = Call[None, StreamQuery]


def streams(hub: Hub, presence: Presence, watch: Watch) -> list[Stream]:
    ways = _Streams(hub, presence, watch)
    access = Access("key", SCOPE, "stream")
    return [
        Stream("/realtime/websocket", ways.websocket, access, "Hear events over a WebSocket", StreamQuery),
        Stream("/realtime/sse", ways.sse, access, "Hear events as server-sent events", StreamQuery,
               "text/event-stream"),
    ]  # fmt: skip


class _Streams:
    def __init__(self, hub: Hub, presence: Presence, watch: Watch) -> None:
        self._hub = hub
        self._presence = presence
        self._watch = watch

    async def websocket(self, call: Opening, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._subscribed(call, scope) as subscription:
            await serve_websocket(subscription, receive, send)

    async def sse(self, call: Opening, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._subscribed(call, scope) as subscription:
            await serve_sse(subscription, receive, send)

    @asynccontextmanager
    async def _subscribed(self, call: Opening, scope: Scope) -> AsyncIterator[Subscription]:
        """The subscription lasts for the block, or until the principal's key ends."""
        with self._hub.subscribe(_globs(call.query.events)) as subscription:

            def key_ended(ending: Ending) -> None:
                self._hub.end(subscription, Reason(ending))
                hang_up_soon(scope, LAST_WORDS_SECONDS)

            forget = self._watch.watch(call.principal, SCOPE, key_ended)
            try:
                async with self._presence.somebody():
                    yield subscription
            finally:
                forget()


def _globs(events: str) -> list[str]:
    globs = events.split(",")
    if len(globs) > MAX_GLOBS:
        raise Invalid.field("query.events", f"names more than {MAX_GLOBS} globs")
    for glob in globs:
        if not _GLOB.fullmatch(glob):
            raise Invalid.field("query.events", f"{glob[:100]!r} is not an event type or glob")
    return globs
