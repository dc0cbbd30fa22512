"""A job runtime without the suite around it: one database, kinds a test makes up, runners it can start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from ogel.adapters.postgres import IN_ORDER_OF_INDEXES, PoolOptions, make_pool
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.bell import Notifier
from ogel.runtime.jobs.isolation import Isolator
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.keys import DropKey, JobKeys
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.jobs.store import JobQueue

QUEUE = "trial"


class Silence:
    """A bell nobody hears."""

    def ring(self, queues: set[str]) -> None:
        pass


@dataclass
class World:
    database: Database
    notifier: Notifier
    queue: JobQueue
    keys: JobKeys
    kinds: Sequence[JobKind]
    stops: list[asyncio.Event] = field(default_factory=list)

    async def enqueue(self, *jobs: NewJob) -> list[str]:
        async with self.database.transaction() as tx:
            return await self.queue.enqueue(tx, jobs)

    @asynccontextmanager
    async def running(
        self, options: RunnerOptions | None = None, drain_seconds: float = 5.0, queue: str = QUEUE
    ) -> AsyncIterator[JobRunner]:
        registry = CollectorRegistry()
        runner = JobRunner(self.database, queue, self.kinds, options or RunnerOptions(), JobMetrics(registry))
        self.notifier.serve({queue: runner})
        stop = asyncio.Event()
        task = asyncio.create_task(runner.run(stop, drain_seconds))
        try:
            yield runner
        finally:
            stop.set()
            await asyncio.wait_for(task, drain_seconds + 10)

    async def rows(self) -> list[dict[str, object]]:
        async with self.database.autocommit() as tx:
            return await tx.dicts(b"SELECT * FROM job_queue ORDER BY id")

    async def until_empty(self, seconds: float = 30.0) -> None:
        await self.until(lambda rows: not rows, seconds)

    async def until(self, enough: object, seconds: float = 30.0) -> list[dict[str, object]]:
        """Looks again and again: the table is written by the runner's own transactions."""
        assert callable(enough)
        async with asyncio.timeout(seconds):
            while not enough(rows := await self.rows()):
                await asyncio.sleep(0.01)
        return rows


@asynccontextmanager
async def world(database_url: str, *kinds: JobKind, isolator: Isolator | None = None) -> AsyncIterator[World]:
    """With an `isolator` all kinds are isolated."""
    notifier = Notifier(Silence())
    pool = make_pool(database_url, PoolOptions(1, 5, 30, 5, 10, IN_ORDER_OF_INDEXES))
    await pool.open()
    queue = JobQueue(promising=notifier)
    database = Database(pool, notifier.ring)
    if isolator is None:
        known = performed = [*kinds, DropKey(database, JobKeys(queue)).kind(QUEUE)]
    else:
        known, performed = [*kinds], [kind.performed_by(isolator) for kind in kinds]
    queue.know(known)
    try:
        yield World(database, notifier, queue, JobKeys(queue), performed)
    finally:
        await pool.close()
