"""What Prometheus learns about endpoints that fail."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from ogel.features.webhooks.health.store import HealthStore
from ogel.runtime.database import Database


class HealthMetrics:
    def __init__(self, database: Database, store: HealthStore, registry: CollectorRegistry) -> None:
        self._database = database
        self._store = store
        self._breakers = Gauge(
            "ogel_webhook_breakers",
            "Endpoints by breaker: open, half_open (recovering), and ailing (closed, though they fail).",
            ["state"],
            registry=registry,
        )

    async def measure(self) -> None:
        async with self._database.session() as session:
            breakers = await self._store.breakers(session)
        for state, count in breakers.items():
            self._breakers.labels(state).set(count)
