"""Streams: `/realtime/websocket` and `/realtime/sse`. Each subscribes to the event types given in `?events=`."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from starlette.types import Receive, Scope, Send

from ogel.features.realtime.listening import Presence
from ogel.features.realtime.own.codec import SSE, WEBSOCKET, Words
from ogel.features.realtime.own.session import SCOPE, OwnSession
from ogel.kernel.errors import Invalid
from ogel.kernel.event import GLOB_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.admission import Watch
from ogel.runtime.http.route import Call, Stream
from ogel.runtime.realtime.connections.connection import Connection, MakeSession
from ogel.runtime.realtime.connections.registry import Registry
from ogel.runtime.realtime.hub import Hub
from ogel.runtime.realtime.message import Message

MAX_GLOBS = 50
# Clients have nothing to send yet.
MAX_CLIENT_MESSAGE = 4096

_GLOB = re.compile(GLOB_PATTERN)


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    events: Annotated[
        str, msgspec.Meta(max_length=8192, description="Up to 50 types or globs, separated by commas.")
    ] = "*"


Opening = Call[None, StreamQuery]


def streams(registry: Registry, hub: Hub[Message], presence: Presence, watch: Watch) -> list[Stream]:
    ways = _Streams(registry, hub, presence, watch)
    access = Access("key", SCOPE, "stream")
    return [
        Stream("/realtime/websocket", ways.websocket, access, "Hear events over a WebSocket", StreamQuery),
        Stream("/realtime/sse", ways.sse, access, "Hear events as server-sent events", StreamQuery,
               "text/event-stream"),
    ]  # fmt: skip


class _Streams:
    def __init__(self, registry: Registry, hub: Hub[Message], presence: Presence, watch: Watch) -> None:
        self._registry = registry
        self._hub = hub
        self._presence = presence
        self._watch = watch

    async def websocket(self, call: Opening, scope: Scope, receive: Receive, send: Send) -> None:
        make = self._listener(call, WEBSOCKET)
        async with self._presence.somebody():
            await self._registry.websocket(call.caller, send, make, max_message_bytes=MAX_CLIENT_MESSAGE)

    async def sse(self, call: Opening, scope: Scope, receive: Receive, send: Send) -> None:
        make = self._listener(call, SSE)
        async with self._presence.somebody():
            await self._registry.sse(call.caller, send, make)

    def _listener(self, call: Opening, words: Words) -> MakeSession:
        globs = _globs(call.query.events)

        def make(connection: Connection) -> OwnSession:
            return OwnSession(connection, words, globs, self._hub, self._presence, self._watch)

        return make


def _globs(events: str) -> list[str]:
    globs = events.split(",")
    if len(globs) > MAX_GLOBS:
        raise Invalid.field("query.events", f"names more than {MAX_GLOBS} globs")
    for glob in globs:
        if not _GLOB.fullmatch(glob):
            raise Invalid.field("query.events", f"{glob[:100]!r} is not an event type or glob")
    return globs
