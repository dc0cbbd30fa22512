"""Listens to what other processes say: what is published, and that a key or session has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ogel.runtime.http.admission import Watch
from ogel.runtime.realtime.broadcast import KEYS, SESSIONS, Broadcast
from ogel.runtime.realtime.connections.registry import Registry
from ogel.runtime.realtime.metrics import RealtimeMetrics
from ogel.runtime.realtime.publication import PUBLICATIONS


class RealtimeFeed:
    """
    A service of the lifecycle, which runs beside the server that holds the clients.

    heard      takes what another process has published.
    connected  called when that can be heard again after a while.
    """

    def __init__(
        self,
        registry: Registry,
        heard: Callable[[bytes], None],
        connected: Callable[[], None],
        broadcast: Broadcast,
        watch: Watch,
        metrics: RealtimeMetrics,
    ) -> None:
        self._registry = registry
        self._tell = heard
        self._tell_connected = connected
        self._broadcast = broadcast
        self._watch = watch
        self._metrics = metrics
        self.connected = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Listens until `stop`, then sends every client away, so that the server need not wait for any."""
        try:
            channels = {
                PUBLICATIONS: self._heard,
                KEYS: self._something_ended,
                SESSIONS: self._something_ended,
            }
            await self._broadcast.listen(channels, self._connected, stop)
        finally:
            await self._registry.drain()

    def _something_ended(self, _: bytes) -> None:
        self._watch.look_soon()

    def _heard(self, payload: bytes) -> Awaitable[None] | None:
        self._tell(payload)
        dispatcher = self._registry.dispatcher
        return dispatcher.caught_up() if dispatcher.is_behind else None

    def _connected(self, connected: bool) -> None:
        self._metrics.connected(connected)
        if connected:
            self.connected.set()
            self._watch.look_soon()  # for news that was missed
            self._tell_connected()
        else:
            self.connected.clear()
