"""What the tests of schedules stand on: a database, a job queue, and two schedules that rarely come due."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from psycopg_pool import AsyncConnectionPool

from ogel.features.audit.store import AuditStore
from ogel.features.schedules.service import ScheduleService
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.reserved import ReservedTypes
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.ticks import Ticker

LIMIT_SECONDS = 20
REPORTS = Schedule(
    "reports.yearly", "0 0 1 1 *", kind="reports.make", description="Makes a report.", payload={"of": "all"}
)
PURGE = Schedule("retention.purge", "30 3 1 1 *", kind="retention.purge", description="Deletes what is old.")
SCHEDULES = [REPORTS, PURGE]
RESERVED = ReservedTypes(tuple)
# Before the last tick of each: a scheduler that was stopped then has missed one.
LONG_AGO = utc_now() - timedelta(days=3000)


async def nothing(job: Job, loaded: object) -> None:
    """The kinds are there to be enqueued; no worker runs here."""


KINDS = [
    JobKind(kind, queue="cleanup", perform=nothing, open=True) for kind in ("reports.make", "retention.purge")
]


class World:
    """One process's view: a database, its job queue, and the rings that follow each written job."""

    def __init__(self, database: Database, jobs: JobQueue, rung: asyncio.Semaphore) -> None:
        self.database, self.jobs, self.rung = database, jobs, rung
        self.outbox = Outbox(jobs)

    def ticker(self, schedules: Sequence[Schedule] = SCHEDULES) -> Ticker:
        return Ticker(self.database, self.jobs, self.outbox, RESERVED, schedules)

    def service(self, audit: AuditStore | None = None) -> ScheduleService:
        return ScheduleService(self.database, self.ticker(), self.jobs, audit or AuditStore(), RESERVED)

    async def last_tick_was(self, name: str, tick: datetime) -> None:
        """And nobody has run anything since."""
        async with self.database.autocommit() as tx:
            await tx.execute(
                b"INSERT INTO schedules (name, last_tick_at, next_tick_at)"
                b" VALUES (%(name)s, %(tick)s, %(tick)s) ON CONFLICT (name) DO UPDATE"
                b" SET last_tick_at = excluded.last_tick_at, counted_from = NULL, next_tick_at = %(tick)s",
                {"name": name, "tick": tick},
            )

    async def written(self) -> list[tuple[str, dict[str, Any], str | None]]:
        async with self.database.autocommit() as tx:
            rows = await tx.tuples(b"SELECT kind, payload, dedupe_key FROM job_queue ORDER BY id")
        return [(kind, payload, dedupe_key) for kind, payload, dedupe_key in rows]

    async def state(self, name: str) -> tuple[datetime | None, str | None, datetime | None]:
        """Its last tick, last job and next tick."""
        query = b"SELECT last_tick_at, last_job_id, next_tick_at FROM schedules WHERE name = %(name)s"
        async with self.database.autocommit() as tx:
            [row] = await tx.tuples(query, {"name": name})
        return row[0], row[1], row[2]


@asynccontextmanager
async def a_world(database_url: str) -> AsyncIterator[World]:
    rung = asyncio.Semaphore(0)
    jobs = JobQueue()
    jobs.know(KINDS)
    pool = AsyncConnectionPool(database_url, kwargs={"autocommit": True}, min_size=1, max_size=4, open=False)
    async with asyncio.timeout(LIMIT_SECONDS), pool:
        yield World(Database(pool, lambda queues: rung.release()), jobs, rung)


def in_a_world(database_url: str, story: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        async with a_world(database_url) as world:
            await story(world)

    asyncio.run(told())
