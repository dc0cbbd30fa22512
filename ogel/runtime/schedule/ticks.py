"""The ticker: turns each tick of a schedule into exactly one job, however many processes count the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.errors import NotFound
from ogel.runtime.database import Database, DatabaseAway, Session
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.store import ScheduleState, ScheduleStore

log = structlog.get_logger(__name__)

# A tick younger than this is on its way through the clock; an older one is late.
GRACE = timedelta(seconds=2)


class Ticker:
    """ValueError for two schedules of one name. Any number of tickers may work on one database."""

    def __init__(self, database: Database, jobs: JobQueue, schedules: Sequence[Schedule]) -> None:
        self.schedules: Mapping[str, Schedule] = {schedule.name: schedule for schedule in schedules}
        if len(self.schedules) < len(schedules):
            raise ValueError(f"two schedules share a name: {sorted(schedule.name for schedule in schedules)}")
        self._database = database
        self._jobs = jobs
        self._store = ScheduleStore()

    async def run_due(self, name: str, tick: datetime) -> bool:
        """Writes the tick's job, unless this or a later tick was taken before. True when it did."""
        schedule = self._schedule(name)
        async with self._database.transaction() as tx:
            late_seconds = await self._store.advance(tx, name, tick)
            if late_seconds is None:
                return False
            await self._enqueue(tx, schedule, tick, dedupe_key=f"{name}:{rfc3339(tick)}")
        if late_seconds > GRACE.total_seconds():
            log.warning(
                "schedule.late", schedule=name, tick=rfc3339(tick), late_seconds=round(late_seconds, 1)
            )
        else:
            log.info("schedule.due", schedule=name, tick=rfc3339(tick))
        return True

    async def run_now(self, tx: Session, name: str) -> str:
        """Writes a job beside the ticks, at each call; returns its id. NotFound: no such schedule."""
        return await self._enqueue(tx, self._schedule(name), utc_now(), dedupe_key=None)

    async def catch_up(self) -> None:
        """
        Runs the newest missed tick of each schedule: one job makes up for all that were missed. A schedule
        never seen before is registered, and runs from its next tick on. Raises when the database is away.
        """
        for name, state in (await self.states()).items():
            try:
                await self._catch_up(self.schedules[name], state)
            except DatabaseAway:
                raise
            except Exception:
                # One schedule that cannot be enqueued must not hold up the others.
                log.exception("schedule.failed", schedule=name)

    async def states(self) -> dict[str, ScheduleState]:
        async with self._database.session() as session:
            return await self._store.states(session, list(self.schedules))

    async def _catch_up(self, schedule: Schedule, state: ScheduleState) -> None:
        if state.last_tick_at is None:
            async with self._database.session() as session:
                await self._store.register(session, schedule.name, schedule.last_tick(state.now))
            return
        newest = schedule.last_tick(state.now - GRACE)
        if state.last_tick_at < newest:
            await self.run_due(schedule.name, newest)

    async def _enqueue(self, tx: Session, schedule: Schedule, tick: datetime, dedupe_key: str | None) -> str:
        job = NewJob(schedule.kind, {**schedule.payload, "tick": rfc3339(tick)}, dedupe_key=dedupe_key)
        if await self._jobs.enqueue(tx, [job]):
            await self._store.remember_job(tx, schedule.name, job.id)
        return job.id

    def _schedule(self, name: str) -> Schedule:
        try:
            return self.schedules[name]
        except KeyError:
            raise NotFound(f"No schedule {name!r}.") from None
