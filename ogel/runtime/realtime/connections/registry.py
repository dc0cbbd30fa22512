"""All of realtime's connections in this process: how one begins, and how all of them end."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping

from msgspec import Struct
from starlette.types import Send

from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.allowance import Rates
from ogel.runtime.http.exchange import TAKEN_BY
from ogel.runtime.realtime.connections.connection import Connection, MakeSession
from ogel.runtime.realtime.connections.dispatcher import Dispatcher
from ogel.runtime.realtime.connections.places import PlaceLimits, Places
from ogel.runtime.realtime.connections.session import Reason
from ogel.runtime.realtime.connections.sse import HEADERS, SseConnection
from ogel.runtime.realtime.connections.websocket import WebSocketConnection
from ogel.runtime.realtime.connections.wheel import PingWheel
from ogel.runtime.realtime.metrics import RealtimeMetrics

# Clients are told to move in so many waves…
WAVES = 10
WAVE_SECONDS = 1.0
# …of at least so many, so that a few need not wait, and over no more than this part of the time there is.
LEAST_IN_A_WAVE = 100
_SHARE_OF_DRAIN = 0.5

Field = tuple[bytes, bytes]


class ConnectionOptions(Struct, frozen=True):
    """
    queue_bytes        a client that leaves more than this unread is slow. Frames are shared, so many slow clients hold
                       hardly more than one does.
    max_message_bytes  of one message of a client's.
    rates              how much a client may send.
    ping_seconds       after which a client that heard nothing is pinged.
    drain_seconds      there are when the process stops.
    """

    places: PlaceLimits = PlaceLimits()
    queue_bytes: int = 1024 * 1024
    max_message_bytes: int = 64 * 1024
    rates: Rates = Rates()
    ping_seconds: float = 25.0
    drain_seconds: float = 30.0


class Registry:
    def __init__(self, metrics: RealtimeMetrics, options: ConnectionOptions) -> None:
        self.metrics = metrics
        self.options = options
        self.dispatcher = Dispatcher()
        self.wheel = PingWheel(options.ping_seconds)
        self._places = Places(options.places)
        self._all: set[Connection] = set()
        self._is_closed = False
        metrics.queued = self._most_queued

    def __len__(self) -> int:
        return len(self._all)

    async def websocket(
        self,
        caller: Caller,
        send: Send,
        make: MakeSession,
        *,
        subprotocol: str | None = None,
        max_message_bytes: int | None = None,
    ) -> None:
        """
        Accepts the WebSocket and returns; from then on the session that `make` made is told of what happens. Raises
        Unavailable when there is no place for it.
        """
        limit = max_message_bytes or self.options.max_message_bytes
        await self._admit(caller)
        connection = WebSocketConnection(self, caller.principal, caller.ip, make, limit)
        accept = {"type": "websocket.accept", "subprotocol": subprotocol}
        await self._hand_over(connection, send, accept)

    async def sse(self, caller: Caller, send: Send, make: MakeSession) -> None:
        """The same for a response of Server-Sent Events."""
        await self._admit(caller)
        connection = SseConnection(self, caller.principal, caller.ip, make)
        start = {"type": "http.response.start", "status": 200, "headers": HEADERS}
        await self._hand_over(connection, send, start)

    async def drain(self) -> None:
        """
        Refuses new connections, and tells those there are to move, in waves with some jitter, so that the other
        processes do not get all of them at once. What waits for them is still delivered.
        """
        self._is_closed = True
        waiting = list(self._all)
        random.shuffle(waiting)
        size = max(LEAST_IN_A_WAVE, math.ceil(len(waiting) / WAVES))
        pause = min(WAVE_SECONDS, self.options.drain_seconds * _SHARE_OF_DRAIN / WAVES)
        while waiting:
            wave, waiting = waiting[:size], waiting[size:]
            for connection in wave:
                connection.end(Reason.SHUTDOWN)
            if waiting:
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, guards nothing

    # For connections.

    def entered(self, connection: Connection) -> None:
        self._all.add(connection)
        self.wheel.add(connection)
        self.metrics.opened(connection.kind)

    def became(self, connection: Connection, principal: Principal) -> None:
        self._places.move(connection.principal, principal)

    def left(self, connection: Connection) -> None:
        """Called once for each that was made, whether or not it has entered."""
        self._places.give_back(connection.principal, connection.address)
        if connection in self._all:
            self._all.discard(connection)
            self.wheel.remove(connection)
            self.metrics.closed(connection.kind)

    async def _admit(self, caller: Caller) -> None:
        """Waits for a place and the turn to take it."""
        try:
            self._check_open()
            wait_seconds = self._places.take(caller.principal, caller.ip)
            if wait_seconds:
                await self._wait_for_turn(caller, wait_seconds)
        except Unavailable:
            self.metrics.refused()
            raise

    async def _wait_for_turn(self, caller: Caller, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            self._check_open()
        except BaseException:
            self._places.give_back(caller.principal, caller.ip)
            raise

    def _check_open(self) -> None:
        if self._is_closed:
            raise Unavailable("This process is stopping. Connect again.", retry_after_seconds=1)

    async def _hand_over(self, connection: Connection, send: Send, message: Mapping[str, object]) -> None:
        try:
            await send({**message, TAKEN_BY: connection})
        finally:
            connection.never_began()

    def _most_queued(self) -> int:
        return max((each.queued_bytes for each in self._all), default=0)
