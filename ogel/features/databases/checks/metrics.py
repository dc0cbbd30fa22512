"""Prometheus metrics of registered databases."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from ogel.features.databases.checks.store import DatabaseHealthStore
from ogel.runtime.database.database import Database
from ogel.runtime.metrics.cluster import cluster_gauge

_LABELS = ("database", "type")


class DatabaseMetrics:
    def __init__(self, database: Database, store: DatabaseHealthStore, registry: CollectorRegistry) -> None:
        self._database = database
        self._store = store
        self._up = cluster_gauge(
            "database_up",
            "1 when the last check of a registered database reached it; missing before the first.",
            _LABELS,
            registry,
        )
        self._latency = cluster_gauge(
            "database_latency_seconds",
            "A round trip to a registered database, at the last check.",
            _LABELS,
            registry,
        )
        self._bytes = cluster_gauge(
            "database_bytes",
            "Size of a registered database (redis: its memory) when it was last measured.",
            _LABELS,
            registry,
        )

    async def measure(self) -> None:
        async with self._database.autocommit() as tx:
            rows = await self._store.gauges(tx)
        for gauge in (self._up, self._latency, self._bytes):
            gauge.clear()  # of those that are gone
        for row in rows:
            if row.state is not None:
                self._up.labels(row.name, row.type).set(row.state == "reachable")
            if row.latency_seconds is not None:
                self._latency.labels(row.name, row.type).set(row.latency_seconds)
            if row.size_bytes is not None:
                self._bytes.labels(row.name, row.type).set(row.size_bytes)
