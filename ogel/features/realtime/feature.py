"""
The manifest of realtime: while clients are connected, new events become broadcast jobs, and streams forward them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from ogel.features.realtime.jobs import QUEUE, announce, publish_job
from ogel.features.realtime.listening import Listening
from ogel.features.realtime.settings import RealtimeSettings
from ogel.runtime.core import Core
from ogel.runtime.feature import BackgroundService, Feature
from ogel.runtime.realtime.broadcast import Broadcast
from ogel.runtime.realtime.metrics import RealtimeMetrics

if TYPE_CHECKING:
    from ogel.features.realtime.listening import Presence
    from ogel.runtime.http.admission import Watch
    from ogel.runtime.http.route import Stream
    from ogel.runtime.realtime.connections.registry import Registry
    from ogel.runtime.realtime.feed import RealtimeFeed
    from ogel.runtime.realtime.hub import Hub
    from ogel.runtime.realtime.message import Message


class RealtimeFeature:
    """A process that offers the streams has to run `serve` beside its HTTP server; a worker needs neither."""

    def __init__(
        self,
        broadcast: Broadcast,
        presence: Presence,
        watch: Watch,
        registry: CollectorRegistry,
        settings: RealtimeSettings,
        drain_seconds: float,
    ) -> None:
        self.metrics = RealtimeMetrics(registry)
        self._broadcast = broadcast
        self._presence = presence
        self._watch = watch
        self._settings = settings
        self._drain_seconds = drain_seconds

    async def serve(self, stop: asyncio.Event) -> None:
        """Feeds the streams until `stop`, then ends them."""
        await asyncio.gather(self.feed.run(stop), self._presence.run(stop))

    @cached_property
    def feed(self) -> RealtimeFeed:
        from ogel.runtime.realtime.feed import RealtimeFeed

        return RealtimeFeed(self.connections, self.events, self._broadcast, self._watch, self.metrics)

    @cached_property
    def connections(self) -> Registry:
        from ogel.features.realtime.options import options_of
        from ogel.runtime.realtime.connections.registry import Registry

        return Registry(self.metrics, options_of(self._settings, self._drain_seconds))

    @cached_property
    def events(self) -> Hub[Message]:
        """By globs of their types."""
        from ogel.runtime.realtime.globs import GlobIndex
        from ogel.runtime.realtime.hub import Hub

        return Hub(GlobIndex(), self.connections.dispatcher, self.metrics)

    def streams(self) -> Sequence[Stream]:
        from ogel.features.realtime.routes import streams

        return streams(self.connections, self.events, self._presence, self._watch)


def build(core: Core, settings: RealtimeSettings) -> Feature:
    realtime = RealtimeFeature(
        core.broadcast, Listening(core.database), core.watch, core.registry, settings, core.drain_seconds
    )
    return Feature(
        name="realtime",
        streams=realtime.streams,
        scopes={"realtime:read": "hear events as they are published"},
        jobs=[publish_job(core.broadcast)],
        subscribers={QUEUE: announce},
        services=[BackgroundService("realtime", realtime.serve, where="realtime")],
        tables=["realtime_listening"],
        left_out={"realtime_listening": "who listened then does not listen now"},
        peaks={"realtime.connections": realtime.metrics.take_peak},
        settings=settings,
        offers=realtime,
    )
