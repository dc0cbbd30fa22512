"""Streams: `/realtime/websocket` and `/realtime/sse`, for events by their types and for channels."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated

import msgspec
from starlette.types import Receive, Scope, Send

from ogel.features.realtime.channels.names import EVENTS
from ogel.features.realtime.channels.service import check_channel
from ogel.features.realtime.channels.subscribing import Subscribed, Subscription, Subscriptions
from ogel.features.realtime.listening import Presence
from ogel.features.realtime.own.codec import SSE, WEBSOCKET, Ready
from ogel.features.realtime.own.cursor import MAX_LENGTH, Cursors
from ogel.features.realtime.own.session import SCOPE, Listener, Opened, OwnSession, Voice
from ogel.kernel.errors import Invalid
from ogel.kernel.event import GLOB_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.admission import Watch
from ogel.runtime.http.route import Call, Stream
from ogel.runtime.realtime.connections.connection import Connection, MakeSession
from ogel.runtime.realtime.connections.registry import Registry
from ogel.runtime.realtime.publication import Position

MAX_GLOBS = 50
MAX_CHANNELS = 50
# Clients have nothing to send yet.
MAX_CLIENT_MESSAGE = 4096

_GLOB = re.compile(GLOB_PATTERN)


Globs = Annotated[
    str,
    msgspec.Meta(
        max_length=8192, description="Up to 50 types or globs, separated by commas; without `channels`: `*`."
    ),
]
Channels = Annotated[
    str, msgspec.Meta(max_length=16_384, description="Up to 50 channels, separated by commas.")
]
Cursor = Annotated[
    str, msgspec.Meta(max_length=MAX_LENGTH, description="One that came before: what was missed comes first.")
]


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    events: Globs | None = None
    channels: Channels | None = None
    since: Cursor | None = None


Opening = Call[None, StreamQuery]


def streams(
    registry: Registry, subscriptions: Subscriptions, presence: Presence, watch: Watch, cursors: Cursors
) -> list[Stream]:
    ways = _Streams(registry, subscriptions, presence, watch, cursors)
    access = Access("key", SCOPE, "stream")
    return [
        Stream("/realtime/websocket", ways.websocket, access, "Hear events and channels over a WebSocket",
               StreamQuery),
        Stream("/realtime/sse", ways.sse, access, "Hear events and channels as server-sent events", StreamQuery,
               "text/event-stream"),
    ]  # fmt: skip


class _Streams:
    def __init__(
        self,
        registry: Registry,
        subscriptions: Subscriptions,
        presence: Presence,
        watch: Watch,
        cursors: Cursors,
    ) -> None:
        self._registry = registry
        self._subscriptions = subscriptions
        self._presence = presence
        self._watch = watch
        self._websocket, self._sse = Voice(WEBSOCKET, cursors), Voice(SSE, cursors)

    async def websocket(self, call: Opening, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opened(call, self._websocket, call.query.since) as make:
            await self._registry.websocket(call.caller, send, make, max_message_bytes=MAX_CLIENT_MESSAGE)

    async def sse(self, call: Opening, scope: Scope, receive: Receive, send: Send) -> None:
        # A browser that comes back by itself asks for the same URL, and says up to where it has heard.
        cursor = call.header("Last-Event-ID") or call.query.since
        async with self._opened(call, self._sse, cursor) as make:
            await self._registry.sse(call.caller, send, make)

    @asynccontextmanager
    async def _opened(self, call: Opening, voice: Voice, cursor: str | None) -> AsyncIterator[MakeSession]:
        """What the client asks for is subscribed to; it stays so if a session is made within the block."""
        globs, channels = _globs(call.query), _channels(call.query)
        names = [*([EVENTS] if globs else ()), *channels]
        encode = voice.alone if len(names) == 1 else voice.words.said
        listeners = [Listener(name, encode) for name in names]
        subscriptions = [Subscription(each.channel, each, topics=_topics(each, globs)) for each in listeners]
        stays = False
        async with self._presence.somebody() if globs else nullcontext():
            try:
                since = None if cursor is None else voice.cursors.read(cursor) or {}
                subscribed = [await self._subscribe(each, since) for each in subscriptions]
                ready = Ready(globs, channels, None if since is None else _recovered(subscribed))

                def make(connection: Connection) -> OwnSession:
                    nonlocal stays
                    stays = True
                    away = self._presence.stay() if globs else None

                    def leave() -> None:
                        for each in subscriptions:
                            self._subscriptions.unsubscribe(each)
                        if away is not None:
                            away()

                    parts = list(zip(listeners, subscriptions, subscribed, strict=True))
                    opened = Opened(ready, parts, leave)
                    return OwnSession(connection, voice, opened, self._subscriptions, self._watch)

                yield make
            finally:
                if not stays:
                    for each in subscriptions:
                        self._subscriptions.unsubscribe(each)

    async def _subscribe(
        self, subscription: Subscription, since: Mapping[str, Position] | None
    ) -> Subscribed:
        position = None if since is None else since.get(subscription.channel)
        return await self._subscriptions.subscribe(subscription, position)


def _topics(listener: Listener, globs: Sequence[str]) -> Sequence[str]:
    return globs if listener.channel == EVENTS else ()


def _recovered(subscribed: Sequence[Subscribed]) -> bool:
    """A channel that the cursor does not know was not heard."""
    return all(each.recovery is not None and each.recovery.recovered for each in subscribed)


def _globs(query: StreamQuery) -> list[str]:
    if query.events is None:
        return ["*"] if query.channels is None else []
    globs = list(dict.fromkeys(query.events.split(",")))
    if len(globs) > MAX_GLOBS:
        raise Invalid.field("query.events", f"names more than {MAX_GLOBS} globs")
    for glob in globs:
        if not _GLOB.fullmatch(glob):
            raise Invalid.field("query.events", f"{glob[:100]!r} is not an event type or glob")
    return globs


def _channels(query: StreamQuery) -> list[str]:
    if query.channels is None:
        return []
    channels = list(dict.fromkeys(query.channels.split(",")))
    if len(channels) > MAX_CHANNELS:
        raise Invalid.field("query.channels", f"names more than {MAX_CHANNELS} channels")
    for channel in channels:
        check_channel(channel, "query.channels")
    return channels
