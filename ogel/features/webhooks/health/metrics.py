"""Prometheus metrics of failing endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry

from ogel.features.webhooks.health.store import EndpointHealthStore
from ogel.runtime.alerts import Sample
from ogel.runtime.database.database import Database
from ogel.runtime.metrics.cluster import cluster_gauge

BREAKERS = "webhooks.breakers"


class HealthMetrics:
    def __init__(self, database: Database, store: EndpointHealthStore, registry: CollectorRegistry) -> None:
        self._database = database
        self._store = store
        self._breakers = cluster_gauge(
            "webhook_breakers",
            "Endpoints by breaker: open, half_open (recovering), and ailing (closed, though they fail).",
            ["state"],
            registry,
        )

    async def breakers(self) -> Mapping[str, int]:
        """The number of endpoints by state, for the gauge."""
        async with self._database.autocommit() as tx:
            return await self._store.breakers(tx)

    async def measure(self) -> None:
        for state, count in (await self.breakers()).items():
            self._breakers.labels(state).set(count)

    async def samples(self) -> Sequence[Sample]:
        return [Sample(BREAKERS, {"state": state}, count) for state, count in (await self.breakers()).items()]
