"""The part of observability that every process has: its metrics, and handing over its usage counts."""

from __future__ import annotations

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from ogel.features.observability.contract import METRICS_SCOPE
from ogel.features.observability.metrics.service import Metrics, MetricsService
from ogel.features.observability.resources.gauges import ResourceGauges
from ogel.features.observability.resources.store import ResourceStore
from ogel.features.observability.settings import ObservabilitySettings
from ogel.features.observability.slo.commits import CommitNote
from ogel.features.observability.slo.minutes import turn_each_minute
from ogel.features.observability.slo.uptime import UptimeWatch
from ogel.features.observability.usage.flusher import Flusher
from ogel.features.observability.usage.metrics import PEAKS
from ogel.features.observability.usage.store import UsageStore
from ogel.runtime.core import Core
from ogel.runtime.feature import BackgroundService, Feature
from ogel.runtime.http.access import Access
from ogel.runtime.http.health import Checkup
from ogel.runtime.http.route import Call, Route, Text


class MetricsRoutes:
    def __init__(self, service: MetricsService) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        # Prometheus scrapes every few seconds and must not be refused for that.
        access = Access("key", METRICS_SCOPE, "none", always=True)
        return [
            Route(
                "GET",
                "/metrics",
                self._prometheus,
                access,
                "Metrics in Prometheus' text format",
                returns=Text,
                name="get_metrics_text",
            ),
            Route("GET", "/api/metrics", self._json, access, "Metrics as JSON", returns=Metrics),
        ]

    async def _prometheus(self, call: Call[Any, Any]) -> Text:
        return Text(await self._service.prometheus(), CONTENT_TYPE_LATEST)

    async def _json(self, call: Call[Any, Any]) -> Metrics:
        return await self._service.json()


def build(core: Core, settings: ObservabilitySettings) -> Feature:
    service = MetricsService(
        core.database,
        core.registry,
        core.depths.all,
        core.redis_stats,
        lambda: [measure for feature in core.features.built for measure in feature.gauges],
        core.process.labels,
    )
    flusher = Flusher(
        core.database,
        UsageStore(),
        core.registry,
        lambda: {
            metric: feature.peaks[metric]
            for feature in core.features.built
            for metric in PEAKS
            if metric in feature.peaks
        },
        settings.flush_seconds,
        core.tallies,
    )
    commit = CommitNote(core.database, core.railway_deployment, settings.committed_at)
    uptime = UptimeWatch(core.database, Checkup(core.probes), lambda: core.features["gateway"].offers)
    return Feature(
        name="observability.metrics",
        process_routes=MetricsRoutes(service).routes,
        scopes={METRICS_SCOPE: "read metrics"},
        services=[
            BackgroundService(
                "usage", lambda stop: flusher.run(core.process.name, stop), at_last=flusher.last
            ),
            BackgroundService("minutes", lambda stop: turn_each_minute(core.tallies, stop)),
            BackgroundService("uptime", uptime.run, where="api"),
            BackgroundService("commit", commit.run, where="api"),
        ],
        settings=settings,
        gauges=[ResourceGauges(core.database, ResourceStore(), core.registry).measure],
    )
