"""
Takes samples from all sources. A source that does not answer, such as Redis or a disk, does not prevent the others.
"""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from ogel.features.observability.resources.store import ResourceStore
from ogel.runtime.alerts import Sample, TakeSamples
from ogel.runtime.database.check import check_writes
from ogel.runtime.database.database import Database
from ogel.runtime.database.faults import DatabaseDiskFull, DatabaseReadOnly
from ogel.runtime.jobs.depths import STATUSES, AskDepths, QueueDepth
from ogel.runtime.jobs.stuck import stuck_seconds
from ogel.runtime.metrics.redis_stats import AskRedis

log = structlog.get_logger(__name__)

_REDIS = {
    "used_memory": "redis.memory_bytes",
    "keys": "redis.keys",
    "evicted_keys": "redis.evicted_keys",
    "connected_clients": "redis.clients",
}


class Sampler:
    def __init__(
        self,
        database: Database,
        store: ResourceStore,
        depths: AskDepths,
        redis_stats: AskRedis,
        of_features: Callable[[], Sequence[TakeSamples]],
        data_dir: Path,
    ) -> None:
        self._database = database
        self._store = store
        self._depths = depths
        self._redis_stats = redis_stats
        self._of_features = of_features
        self._data_dir = data_dir

    async def everything(self) -> list[Sample]:
        """Raises what the database raises, because samples are stored there."""
        async with self._database.autocommit() as tx:
            sizes = await self._store.sizes(tx)
        return [*await self.quickly(), *sizes]

    async def quickly(self) -> list[Sample]:
        """Without the sizes of tables, which Postgres has to look up on the disk."""
        redis, disk = await asyncio.gather(self._redis_stats(), asyncio.to_thread(self._disk))
        depths = await self._depths()
        others = [sample for take in self._of_features() for sample in await take()]
        writes = await self._takes_writes()
        async with self._database.autocommit() as tx:
            activity = await self._store.activity(tx)
            stuck = await stuck_seconds(tx, sorted(depths))
            processes = await self._store.processes(tx)
        return [
            *activity,
            Sample("database.takes_writes", {}, float(writes)),
            *_of_redis(redis or {}),
            *_of_queues(depths),
            *(Sample("queue.stuck_seconds", {"queue": name}, age) for name, age in stuck.items()),
            *others,
            *processes,
            *disk,
        ]

    async def _takes_writes(self) -> bool:
        """Raises DatabaseAway when the database does not answer at all."""
        try:
            await check_writes(self._database)
        except (DatabaseDiskFull, DatabaseReadOnly):
            return False
        return True

    def _disk(self) -> Sequence[Sample]:
        # A directory that does not exist yet will be on the disk of its nearest parent.
        directory = next(
            each for each in (self._data_dir, *self._data_dir.absolute().parents) if each.exists()
        )
        try:
            usage = shutil.disk_usage(directory)
        except OSError as error:
            log.warning("resources.disk_unknown", directory=str(directory), error=str(error))
            return []
        return [
            Sample("disk.free_bytes", {}, usage.free),
            Sample("disk.free_share", {}, usage.free / max(1, usage.total)),
        ]


def _of_redis(stats: Mapping[str, Any]) -> list[Sample]:
    samples = [Sample(ours, {}, float(stats[theirs])) for theirs, ours in _REDIS.items() if theirs in stats]
    if "used_memory" in stats:
        most = stats.get("maxmemory") or math.inf
        samples.append(Sample("redis.memory_share", {}, stats["used_memory"] / most))
    return samples


def _of_queues(depths: Mapping[str, QueueDepth]) -> list[Sample]:
    samples = []
    for name, depth in depths.items():
        for status in STATUSES:
            samples.append(Sample("queue.jobs", {"queue": name, "status": status}, getattr(depth, status)))
        samples.append(Sample("queue.oldest_seconds", {"queue": name}, depth.oldest_seconds))
    return samples
