"""Passes what this process receives from the broadcast to its hub, and news of what ended to whoever watches that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import msgspec
import structlog

from ogel.runtime.http.admission import Watch
from ogel.runtime.realtime.broadcast import EVENTS, KEYS, SESSIONS, Broadcast
from ogel.runtime.realtime.connections.registry import Registry
from ogel.runtime.realtime.hub import Hub
from ogel.runtime.realtime.message import Message
from ogel.runtime.realtime.metrics import RealtimeMetrics

log = structlog.get_logger(__name__)


class RealtimeFeed:
    """A service of the lifecycle, which runs beside the server that holds the clients."""

    def __init__(
        self,
        registry: Registry,
        hub: Hub[Message],
        broadcast: Broadcast,
        watch: Watch,
        metrics: RealtimeMetrics,
    ) -> None:
        self._registry = registry
        self._hub = hub
        self._broadcast = broadcast
        self._watch = watch
        self._metrics = metrics
        self.connected = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Listens until `stop`, then sends every client away, so that the server need not wait for any."""
        try:
            channels = {EVENTS: self._heard, KEYS: self._something_ended, SESSIONS: self._something_ended}
            await self._broadcast.listen(channels, self._connected, stop)
        finally:
            await self._registry.drain()

    def _something_ended(self, _: bytes) -> None:
        self._watch.look_soon()

    def _heard(self, payload: bytes) -> Awaitable[None] | None:
        try:
            message = Message(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            # Another program writes to our channel, or another version of Ogel.
            log.warning("realtime.unreadable", bytes=len(payload), error=str(error))
            return None
        self._hub.publish(message.type, message)
        dispatcher = self._registry.dispatcher
        return dispatcher.caught_up() if dispatcher.is_behind else None

    def _connected(self, connected: bool) -> None:
        self._metrics.connected(connected)
        if connected:
            self.connected.set()
            self._watch.look_soon()  # for news that was missed
        else:
            self.connected.clear()
