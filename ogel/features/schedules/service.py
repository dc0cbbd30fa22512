"""The rules of schedules: creating, changing, pausing and running them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ogel.features.schedules.schedule import (
    EventOfTick,
    JobOfTick,
    NewSchedule,
    ScheduleChange,
    ScheduleInfo,
    StartedRun,
)
from ogel.features.schedules.store import Known, UserScheduleStore
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, FieldError, Invalid, NotFound, TooLarge
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.reserved import ReservedTypes
from ogel.runtime.schedule.cron import cron, is_zone
from ogel.runtime.schedule.schedule import Schedule, ScheduledEvent
from ogel.runtime.schedule.store import Locked, ScheduleStore
from ogel.runtime.schedule.ticks import Ticker

MOST_SCHEDULES = 1_000
# The size limit of an event's data and of a job's payload, because both are written at every tick.
MOST_BYTES = 16 * 1024
NEXT_TICKS = 5
# Finds an escaped NUL in encoded JSON: its backslash is not itself escaped.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
Value = TypeVar("Value")


class ScheduleService:
    """Users manage their own schedules here, and see the declared ones: those of features, as settings change them."""

    def __init__(
        self,
        database: Database,
        ticker: Ticker,
        jobs: JobQueue,
        audit: AuditTrail,
        reserved: ReservedTypes,
        least_gap_seconds: int = 60,
        most_schedules: int = MOST_SCHEDULES,
    ) -> None:
        """A schedule that would tick more often than every `least_gap_seconds` is refused."""
        self._database = database
        self._ticker = ticker
        self._jobs = jobs
        self._audit = audit
        self._reserved = reserved
        self._least_gap_seconds = least_gap_seconds
        self._most_schedules = most_schedules
        self._store = UserScheduleStore()
        self._rows = ScheduleStore()

    async def create(self, caller: Caller, new: NewSchedule) -> ScheduleInfo:
        if (new.event is None) == (new.job is None):
            raise Invalid.field("body", "needs an `event` or a `job`, and not both")
        await self._check_ticks(new.cron, new.timezone)
        blank = Schedule(
            id=new_id("sch"),
            name=new.name,
            cron=new.cron,
            timezone=new.timezone,
            description=new.description,
            enabled=new.enabled,
            kind="none yet",
        )
        schedule = self._causing(blank, new.event, new.job)
        async with self._database.transaction() as tx:
            await self._store.change(tx)
            if await self._store.count(tx) >= self._most_schedules:
                raise Conflict(f"There are {self._most_schedules} schedules, and that is the most.")
            now = utc_now()
            if not await self._store.insert(tx, schedule, now, _next(schedule, now)):
                raise Conflict(f"There is a schedule {new.name!r} already.")
            await self._audit.record(
                tx, caller, "schedule.create", "schedule", schedule.name, _about(schedule)
            )
            return await self._get(tx, schedule.name)

    async def list(self, after: str | None, limit: int) -> Sequence[ScheduleInfo]:
        """Sorted by name, beginning after the name `after`."""
        declared = [name for name in sorted(self._ticker.declared) if after is None or name > after]
        async with self._database.autocommit() as tx:
            rows = await self._store.known(tx, declared, after, limit)
        names = sorted({*declared, *(name for name, row in rows.items() if row.id)})[:limit]
        # Computing the next ticks of a whole page would block the event loop for too long.
        return await asyncio.to_thread(lambda: [self._info(rows.get(name) or Known(name)) for name in names])

    async def get(self, name: str) -> ScheduleInfo:
        async with self._database.autocommit() as tx:
            return await self._get(tx, name)

    async def change(self, caller: Caller, name: str, change: ScheduleChange) -> ScheduleInfo:
        """Raises Conflict when the schedule is built in."""
        event, job = change.event or None, change.job or None
        if event and job:
            raise Invalid.field("body.job", "takes the place of an `event`: name one of them")
        async with self._database.transaction() as tx:
            await self._store.change(tx)
            row = await self._lock(tx, name)
            await self._check_ticks(_or(change.cron, row.cron or ""), _or(change.timezone, row.timezone))
            wanted = row.schedule(
                cron=_or(change.cron, row.cron),
                timezone=_or(change.timezone, row.timezone),
                enabled=_or(change.enabled, row.enabled),
                description=_or(change.description, row.description),
            )
            if event or job:
                wanted = self._causing(wanted, event, job)
            recounted = (row.cron, row.timezone, row.enabled) != (
                wanted.cron,
                wanted.timezone,
                wanted.enabled,
            )
            since = row.now if recounted or row.since is None else row.since
            await self._store.update(tx, wanted, since, _next(wanted, since))
            changed = [field for field, value in msgspec.structs.asdict(change).items() if value is not UNSET]
            await self._audit.record(tx, caller, "schedule.update", "schedule", name, {"changed": changed})
            return await self._get(tx, name)

    async def pause(self, caller: Caller, name: str) -> ScheduleInfo:
        """Jobs and events of earlier ticks are not affected. Pausing a paused schedule changes nothing."""
        return await self._switch(caller, name, enabled=False)

    async def resume(self, caller: Caller, name: str) -> ScheduleInfo:
        """The schedule ticks from now on; ticks missed during the pause are not made up for."""
        return await self._switch(caller, name, enabled=True)

    async def delete(self, caller: Caller, name: str) -> None:
        """Jobs and events of earlier ticks are not affected. Raises Conflict when the schedule is built in."""
        async with self._database.transaction() as tx:
            await self._store.change(tx)
            row = await self._lock(tx, name)
            assert row.id is not None
            await self._store.delete(tx, row.id)
            await self._audit.record(tx, caller, "schedule.delete", "schedule", name, {"id": row.id})

    async def run(self, caller: Caller, name: str) -> StartedRun:
        """Runs the schedule once beside its ticks, even when it is paused. Raises NotFound."""
        async with self._database.transaction() as tx:
            run = await self._ticker.run_now(tx, name)
            started = StartedRun(run.job_id, run.event_id)
            metadata = msgspec.structs.asdict(started)
            await self._audit.record(tx, caller, "schedule.run", "schedule", name, metadata)
        return started

    async def _switch(self, caller: Caller, name: str, *, enabled: bool) -> ScheduleInfo:
        async with self._database.transaction() as tx:
            await self._store.change(tx)
            row = await self._lock(tx, name)
            if row.enabled is not enabled:
                wanted = _usable(row, enabled=enabled)
                await self._store.update(tx, wanted, row.now, _next(wanted, row.now))
                action = "schedule.resume" if enabled else "schedule.pause"
                await self._audit.record(tx, caller, action, "schedule", name)
            return await self._get(tx, name)

    async def _lock(self, tx: Transaction, name: str) -> Locked:
        if name in self._ticker.declared:
            raise Conflict(f"Schedule {name!r} is built in: the setting OGEL_SCHEDULES changes it.")
        row = await self._rows.lock(tx, name)
        if row is None or row.id is None:
            raise _no_schedule(name)
        return row

    async def _get(self, tx: Transaction, name: str) -> ScheduleInfo:
        rows = await self._store.known(tx, [name])
        if name not in self._ticker.declared and (name not in rows or rows[name].id is None):
            raise _no_schedule(name)
        return self._info(rows.get(name) or Known(name))

    async def _check_ticks(self, text: str, timezone: str) -> None:
        if not is_zone(timezone):
            raise Invalid.field("body.timezone", "is not the name of a time zone, such as Europe/Berlin")
        try:
            # Finding out that an expression never matches means searching many years.
            ticks = await asyncio.to_thread(cron, text, timezone)
        except ValueError as error:
            raise Invalid.field("body.cron", str(error)) from None
        least = self._least_gap_seconds
        if ticks.least_gap_seconds < least:
            message = (
                f"ticks every {ticks.least_gap_seconds} s (a sixth field is the second); the least is {least}"
            )
            raise Invalid.field("body.cron", message)

    def _causing(self, schedule: Schedule, event: EventOfTick | None, job: JobOfTick | None) -> Schedule:
        """Returns the schedule with this event or job. Raises Invalid, or TooLarge, naming the wrong field."""
        if event is not None:
            self._reserved.check(event.type, "body.event.type")
            data = bytes(event.data)
            _check_json(data, "body.event.data")
            wanted = ScheduledEvent(event.type, data, event.subject)
            return replace(schedule, event=wanted, kind=None, queue=None, payload={})
        assert job is not None
        kind = self._jobs.kind(job.kind)
        if kind is None or not kind.open:
            known = ", ".join(self._jobs.open_kinds()) or "none"
            raise Invalid.field("body.job.kind", f"is not a kind that users may enqueue; those are: {known}")
        _check_json(msgspec.json.encode(job.payload), "body.job.payload", storable=True)
        return replace(schedule, event=None, kind=kind.name, queue=kind.queue, payload=job.payload)

    def _info(self, row: Known) -> ScheduleInfo:
        declared = self._ticker.declared.get(row.name)
        if declared is None:
            assert row.cron is not None
            cron_text, timezone, enabled, description = row.cron, row.timezone, row.enabled, row.description
            job = JobOfTick(kind=row.job_kind, payload=row.job_payload or {}) if row.job_kind else None
        else:
            assert declared.kind is not None
            cron_text, timezone, enabled = declared.cron, declared.timezone, declared.enabled
            description = declared.description
            job = JobOfTick(kind=declared.kind, payload=dict(declared.payload))
        ticks = _next_ticks(cron_text, timezone) if enabled else []
        return ScheduleInfo(
            name=row.name,
            id=row.id,
            built_in=declared is not None,
            description=description,
            cron=cron_text,
            timezone=timezone,
            enabled=enabled,
            event=_event(row),
            job=job,
            last_tick_at=row.last_tick_at and row.last_tick_at.astimezone(UTC),
            last_late_seconds=row.last_late_seconds,
            last_job_id=row.last_job_id,
            last_event_id=row.last_event_id,
            last_outcome=row.last_outcome,
            last_error=row.last_words,
            next_tick_at=ticks[0] if ticks else None,
            next_ticks=ticks,
            created_at=row.created_at if row.id else None,
            updated_at=row.updated_at if row.id else None,
        )


def _event(row: Known) -> EventOfTick | None:
    if row.event_type is None:
        return None
    data = msgspec.Raw((row.event_data or "null").encode())
    return EventOfTick(type=row.event_type, data=data, subject=row.event_subject)


def _next(schedule: Schedule, since: datetime) -> datetime | None:
    return schedule.ticks.next_tick(since) if schedule.enabled else None


def _next_ticks(text: str, timezone: str) -> list[datetime]:
    """Empty for a schedule that is no longer valid; its `last_error` says why."""
    try:
        return cron(text, timezone).next_ticks(utc_now(), NEXT_TICKS)
    except ValueError:
        return []


def _or(value: Value | UnsetType, otherwise: Value) -> Value:
    return otherwise if isinstance(value, UnsetType) else value


def _usable(row: Locked, *, enabled: bool) -> Schedule:
    try:
        return row.schedule(enabled=enabled)
    except ValueError as error:
        raise Conflict(f"It cannot be used any more: {error}") from None


def _check_json(text: bytes, path: str, *, storable: bool = False) -> None:
    """`storable` is for `jsonb` columns, which cannot hold a NUL character."""
    if len(text) > MOST_BYTES:
        message = f"has {len(text)} bytes; {MOST_BYTES} is the most"
        raise TooLarge(f"{path} {message}.", errors=(FieldError(path, message),))
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid.field(path, f"is not sound JSON: {error}") from None
    if storable and _NUL.search(text):
        raise Invalid.field(path, "has a NUL character, which cannot be stored")


def _about(schedule: Schedule) -> dict[str, object]:
    return {
        "id": schedule.id,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "event": schedule.event and schedule.event.type,
        "job": schedule.kind,
    }


def _no_schedule(name: str) -> NotFound:
    return NotFound(f"No schedule {name!r}.")
