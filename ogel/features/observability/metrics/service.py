"""Metrics of this process, the database, Redis and the queues."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest

from ogel import __version__
from ogel.features.observability.metrics.measures import Measures
from ogel.kernel.clock import rfc3339, utc_now
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.feature import Measure
from ogel.runtime.jobs.depths import STATUSES, AskDepths
from ogel.runtime.metrics.cluster import Labelled, cluster_gauge
from ogel.runtime.metrics.redis_stats import AskRedis
from ogel.runtime.process.vitals import cpu_seconds, resident_bytes

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)
_QUERY_SECONDS = 2.0


class Metrics(Struct, frozen=True):
    """`database` and `redis` are null while the server is away."""

    system: dict[str, Any]
    database: dict[str, Any] | None
    redis: dict[str, Any] | None
    queues: dict[str, dict[str, float]] | None
    timestamp: str


class MetricsService:
    def __init__(
        self,
        database: Database,
        registry: CollectorRegistry,
        depths: AskDepths,
        redis_stats: AskRedis,
        measures: Callable[[], Sequence[Measure]] = tuple,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """`labels` are added to each metric of this process when it is shown."""
        self._database = database
        self._registry = registry
        self._labels = {} if labels is None else labels
        self._depths = depths
        self._redis_stats = redis_stats
        self._started = time.monotonic()
        self._measures = Measures(lambda: [self._measure_depths, *measures()], registry)
        self._depth = cluster_gauge(
            "queue_jobs",
            "Jobs by state; of one state exact up to 10,000, an estimate beyond.",
            ["queue", "status"],
            registry,
        )
        self._age = cluster_gauge(
            "queue_oldest_seconds",
            "Since when the oldest job has been due that is not held; what it waits for does not matter.",
            ["queue"],
            registry,
        )
        ProcessCollector(registry=registry)
        self._pool = Gauge("ogel_postgres_pool", "Connections of this process.", ["state"], registry=registry)
        Gauge("ogel_info", "1, labelled with the version.", ["version"], registry=registry).labels(
            __version__
        ).set(1)

    async def prometheus(self) -> bytes:
        """The metrics of this process are shown even while Postgres is away."""
        await self._measures.refresh()
        stats = self._database.pool_stats()
        self._pool.labels("open").set(stats.get("pool_size", 0))
        self._pool.labels("idle").set(stats.get("pool_available", 0))
        return generate_latest(Labelled(self._registry, self._labels))

    async def json(self) -> Metrics:
        database, queues, redis = await asyncio.gather(
            self._or_none(self._database_stats()), self._or_none(self._queue_stats()), self._redis_stats()
        )
        system = {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "memory_bytes": resident_bytes(),
            "cpu_seconds": round(cpu_seconds(), 3),
        }
        return Metrics(system, database, dict(redis) if redis else None, queues, rfc3339(utc_now()))

    async def _measure_depths(self) -> None:
        for name, depth in (await self._depths()).items():
            for status in STATUSES:
                self._depth.labels(name, status).set(getattr(depth, status))
            self._age.labels(name).set(depth.oldest_seconds)

    async def _database_stats(self) -> dict[str, Any]:
        async with self._database.autocommit() as tx:
            return (await tx.dicts(_SQL.database_stats))[0]

    async def _queue_stats(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                "pending": depth.pending,
                "running": depth.running,
                "held": depth.held,
                "dead": depth.dead,
                "oldest_seconds": round(depth.oldest_seconds, 3),
            }
            for name, depth in (await self._depths()).items()
        }

    async def _or_none(self, question: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                return await question
        except Exception as error:  # noqa: BLE001 - metrics must come most of all when something is wrong
            log.warning("metrics.incomplete", error=f"{type(error).__name__}: {error}")
            return None
