"""The manifest: every new event becomes a job that broadcasts it, and streams carry it to who listens."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from ogel.features.realtime.jobs import announce, publish_job
from ogel.features.realtime.routes import streams
from ogel.runtime.feature import Feature
from ogel.runtime.http.auth import Authenticate
from ogel.runtime.realtime.broadcast import Broadcast
from ogel.runtime.realtime.feed import RealtimeFeed
from ogel.runtime.realtime.hub import Hub, HubOptions
from ogel.runtime.realtime.metrics import RealtimeMetrics


class RealtimeFeature:
    """A process that offers the streams has to run `serve` beside its HTTP server; a worker needs neither."""

    def __init__(
        self,
        broadcast: Broadcast,
        authenticate: Authenticate,
        registry: CollectorRegistry,
        options: HubOptions | None = None,
    ) -> None:
        self.metrics = RealtimeMetrics(registry)
        hub = Hub(self.metrics, options or HubOptions())
        self._broadcast = broadcast
        self._streams = streams(hub, authenticate)
        self.feed = RealtimeFeed(hub, broadcast, self.metrics)

    async def serve(self, stop: asyncio.Event) -> None:
        """Feeds the streams until `stop`, then ends them."""
        await self.feed.run(stop)

    def feature(self) -> Feature:
        return Feature(
            name="realtime",
            streams=self._streams,
            jobs=[publish_job(self._broadcast)],
            subscribers=[announce],
        )
