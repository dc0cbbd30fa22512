"""Runs each tick of a schedule exactly once, however many schedulers there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.errors import NotFound
from ogel.kernel.event import Event
from ogel.kernel.ids import derived_id, new_id
from ogel.runtime.database.database import Database, DatabaseAway, Transaction
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.reserved import ReservedTypes
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.store import Locked, Run, ScheduleStore

log = structlog.get_logger(__name__)

# A tick younger than this many seconds may still come from the clock; an older one is late.
GRACE = timedelta(seconds=2)
# How far a scheduler's clock may be ahead of the database's; a time beyond that is not believed.
TOLERANCE = timedelta(seconds=5)
# Of missed ticks only the newest is run, in place of all of them. A gap as short as this is no outage (a scheduler died
# and another took over), and all its ticks are run.
SHORT_GAP = timedelta(seconds=60)
MOST_AT_ONCE = 60
_ERROR_LENGTH = 500


class Ticker:
    """
    Any number may work on one database. `schedules` are those that features declare; users' schedules are read from the
    table each time. Raises ValueError for two of one name.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        outbox: Outbox,
        reserved: ReservedTypes,
        schedules: Sequence[Schedule],
    ) -> None:
        self.declared: Mapping[str, Schedule] = {schedule.name: schedule for schedule in schedules}
        if len(self.declared) < len(schedules):
            raise ValueError(f"two schedules share a name: {sorted(schedule.name for schedule in schedules)}")
        self._database = database
        self._jobs = jobs
        self._outbox = outbox
        self._reserved = reserved
        self._store = ScheduleStore()
        self._registered = False
        self._version: int | None = None

    async def catch_up(self) -> Mapping[str, datetime] | None:
        """
        Runs overdue ticks. Returns when each schedule is due next, if any was made, changed or deleted since the last
        call; else None. Raises when the database is away.
        """
        if not self._registered:
            for schedule in self.declared.values():
                await self._register(schedule)
            self._registered = True
        names = list(self.declared)
        async with self._database.autocommit() as tx:
            version, overdue = await self._store.look(tx, names, GRACE.total_seconds())
            expected = None
            if version != self._version:
                expected = await self._store.expected(tx, names)
        for name in overdue:
            await self.run_due(name)
        # Stored last: if the database goes away before, the clock must still learn of the change.
        self._version = version
        return expected

    async def run_due(self, name: str, at: datetime | None = None) -> datetime | None:
        """
        Runs the ticks of a schedule that have not been run; `at` is the caller's time. Returns when it is due next;
        None if it was deleted or has no ticks.
        """
        try:
            async with self._database.transaction() as tx:
                row = await self._store.lock(tx, name)
                return None if row is None else await self._run_due(tx, row, at)
        except DatabaseAway:
            raise
        except Exception as error:
            log.exception("schedule.failed", schedule=name)
            return await self._pass_over(name, at, error)

    async def run_now(self, tx: Transaction, name: str) -> Run:
        """Runs a schedule now, in addition to its ticks. Raises NotFound."""
        row = await self._store.lock(tx, name)
        schedule = self.declared.get(name)
        if schedule is None:
            if row is None or row.id is None:
                raise NotFound(f"No schedule {name!r}.")
            schedule = row.schedule()
        run = await self._run(tx, schedule, utc_now(), 0.0, of_tick=False)
        await self._store.remember(tx, name, run)
        return run

    async def _register(self, schedule: Schedule) -> None:
        """
        Registers a schedule. Ticks while it was switched off, or by a former cron expression, do not count as missed.
        """
        async with self._database.transaction() as tx:
            row = await self._store.register(tx, schedule)
            known = row.cron is None or (row.cron, row.timezone, row.enabled) == (
                schedule.cron,
                schedule.timezone,
                True,
            )
            since = row.since if known and row.since is not None else row.now
            next_tick = schedule.ticks.next_tick(since) if schedule.enabled else None
            await self._store.settle(tx, schedule, since, next_tick)

    async def _run_due(self, tx: Transaction, row: Locked, at: datetime | None) -> datetime | None:
        schedule = self.declared.get(row.name) if row.id is None else row.schedule()
        if schedule is None or not schedule.enabled:
            return None
        now, since = _now(row, at), row.since or row.now
        next_tick = schedule.ticks.next_tick(max(now, since))
        ticks = _to_run(schedule, since, now)
        for tick in ticks:
            late_seconds = (now - tick).total_seconds()
            run = await self._run(tx, schedule, tick, late_seconds)
            await self._store.advance(tx, schedule.name, tick, late_seconds, run, next_tick)
            _say(schedule, tick, late_seconds, run)
        if not ticks:
            await self._store.expect(tx, schedule.name, next_tick)
        return next_tick

    async def _pass_over(self, name: str, at: datetime | None, error: Exception) -> datetime | None:
        """Records a tick that could not be run, with the reason; the next one may succeed."""
        async with self._database.transaction() as tx:
            row = await self._store.lock(tx, name)
            if row is None:
                return None
            now, next_tick, tick = _now(row, at), None, row.now
            try:
                schedule = self.declared[name] if row.id is None else row.schedule()
                next_tick, tick = schedule.ticks.next_tick(now), schedule.ticks.last_tick(now)
            except (ValueError, KeyError):
                log.warning("schedule.stopped", schedule=name, meaning="its cron or zone cannot be used here")
            run = Run(error=f"{type(error).__name__}: {error}"[:_ERROR_LENGTH])
            await self._store.advance(tx, name, tick, (now - tick).total_seconds(), run, next_tick)
            return next_tick

    async def _run(
        self,
        tx: Transaction,
        schedule: Schedule,
        tick: datetime,
        late_seconds: float,
        *,
        of_tick: bool = True,
    ) -> Run:
        text = rfc3339(tick)
        if schedule.event is not None:
            wanted = schedule.event
            # Checked again, because the schedule may be older than the reservation of the type.
            self._reserved.check(wanted.type, "event.type")
            # The id is derived from the tick, so that repetitions make the same event.
            id = derived_id("evt", tick, f"{schedule.id}:{text}") if of_tick else new_id("evt")
            event = Event(id, wanted.type, wanted.data, wanted.subject, utc_now())
            await self._outbox.publish(tx, [event])
            return Run(event_id=id)
        assert schedule.kind is not None
        payload = {**schedule.payload, "tick": text, "late_seconds": round(max(0.0, late_seconds), 3)}
        job = NewJob(schedule.kind, payload, dedupe_key=f"{schedule.name}:{text}" if of_tick else None)
        kind = self._jobs.kind(schedule.kind)
        if kind is None or (schedule.id is not None and not kind.open):
            error = f"the kind {schedule.kind!r} is not one that users may enqueue any more"
            await self._jobs.enqueue_dead(tx, job, schedule.queue or schedule.kind, error)
        else:
            await self._jobs.enqueue(tx, [job])
        return Run(job_id=job.id)


def _now(row: Locked, at: datetime | None) -> datetime:
    """Returns the database's time, or a caller's that is a little ahead of it."""
    return row.now if at is None else max(row.now, min(at, row.now + TOLERANCE))


def _to_run(schedule: Schedule, since: datetime, now: datetime) -> Sequence[datetime]:
    return schedule.ticks.ticks(max(since, now - SHORT_GAP), now, MOST_AT_ONCE) or schedule.ticks.ticks(
        since, now, 1
    )


def _say(schedule: Schedule, tick: datetime, late_seconds: float, run: Run) -> None:
    if late_seconds > GRACE.total_seconds():
        log.warning(
            "schedule.late",
            schedule=schedule.name,
            tick=rfc3339(tick),
            late_seconds=round(late_seconds, 1),
            job=run.job_id,
            event_id=run.event_id,
        )
    else:
        # Built-in schedules are due several times a minute; logging each run would hide everything else.
        say = log.debug if schedule.id is None else log.info
        say("schedule.due", schedule=schedule.name, tick=rfc3339(tick), job=run.job_id, event_id=run.event_id)
