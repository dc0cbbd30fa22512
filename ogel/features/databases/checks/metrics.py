"""What Prometheus learns about registered databases."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from ogel.features.databases.checks.store import HealthStore
from ogel.runtime.database import Database

_LABELS = ("database", "type")


class DatabaseMetrics:
    def __init__(self, database: Database, store: HealthStore, registry: CollectorRegistry) -> None:
        self._database = database
        self._store = store
        self._up = Gauge(
            "ogel_database_up",
            "1 when the last check of a registered database reached it; missing before the first.",
            _LABELS,
            registry=registry,
        )
        self._latency = Gauge(
            "ogel_database_latency_seconds", "A round trip, at the last check.", _LABELS, registry=registry
        )
        self._bytes = Gauge(
            "ogel_database_bytes",
            "Its size (redis: its memory) when it was last measured.",
            _LABELS,
            registry=registry,
        )

    async def measure(self) -> None:
        async with self._database.session() as session:
            rows = await self._store.gauges(session)
        for gauge in (self._up, self._latency, self._bytes):
            gauge.clear()  # of those that are gone
        for row in rows:
            if row.state is not None:
                self._up.labels(row.name, row.type).set(row.state == "reachable")
            if row.latency_seconds is not None:
                self._latency.labels(row.name, row.type).set(row.latency_seconds)
            if row.size_bytes is not None:
                self._bytes.labels(row.name, row.type).set(row.size_bytes)
