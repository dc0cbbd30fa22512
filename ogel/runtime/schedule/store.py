"""The schedules table: what is due, and up to where each schedule has run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.schedule.schedule import Schedule, ScheduledEvent

_SQL = Queries.beside(__name__)


class Locked(Struct, frozen=True):
    """
    A locked row. For a declared schedule the definition is in the code. Ticks up to `since` are done; None: it was
    never registered. `now` is the database's time.
    """

    name: str
    id: str | None
    cron: str | None
    timezone: str
    description: str
    enabled: bool
    event_type: str | None
    event_data: str | None
    event_subject: str | None
    job_kind: str | None
    job_queue: str | None
    job_payload: dict[str, Any] | None
    since: datetime | None
    now: datetime

    def schedule(self, **changed: Any) -> Schedule:
        """
        Returns a user's schedule, with `changed` applied. Raises ValueError when it was valid once and no longer is.
        """
        event = None
        if self.event_type is not None:
            event = ScheduledEvent(self.event_type, (self.event_data or "null").encode(), self.event_subject)
        fields: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "cron": self.cron,
            "timezone": self.timezone,
            "description": self.description,
            "enabled": self.enabled,
            "event": event,
            "kind": self.job_kind,
            "queue": self.job_queue,
            "payload": self.job_payload or {},
        }
        return Schedule(**fields | changed)


class Run(Struct, frozen=True):
    """The result of a tick: a job, an event, or an `error` that prevented both."""

    job_id: str | None = None
    event_id: str | None = None
    error: str | None = None


class ScheduleStore:
    async def look(
        self, tx: Transaction, declared: Sequence[str], grace_seconds: float
    ) -> tuple[int, Sequence[str]]:
        """Returns the version of the users' schedules, and the names of overdue schedules."""
        parameters = {"declared": list(declared), "grace_seconds": grace_seconds}
        [(version, overdue)] = await tx.tuples(_SQL.look, parameters)
        return version, overdue

    async def expected(self, tx: Transaction, declared: Sequence[str]) -> dict[str, datetime]:
        return dict(await tx.tuples(_SQL.expected, {"declared": list(declared)}))

    async def lock(self, tx: Transaction, name: str) -> Locked | None:
        return await tx.one(_SQL.lock, {"name": name}, Locked)

    async def register(self, tx: Transaction, schedule: Schedule) -> Locked:
        """Locks the row of a declared schedule, inserting it if needed."""
        parameters = {
            "name": schedule.name,
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "enabled": schedule.enabled,
        }
        await tx.execute(_SQL.register, parameters)
        row = await self.lock(tx, schedule.name)
        assert row is not None
        return row

    async def settle(
        self, tx: Transaction, schedule: Schedule, counted_from: datetime, next_tick_at: datetime | None
    ) -> None:
        parameters = {
            "name": schedule.name,
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "enabled": schedule.enabled,
            "counted_from": counted_from,
            "next_tick_at": next_tick_at,
        }
        await tx.execute(_SQL.settle, parameters)

    async def expect(self, tx: Transaction, name: str, next_tick_at: datetime | None) -> None:
        await tx.execute(_SQL.expect, {"name": name, "next_tick_at": next_tick_at})

    async def advance(
        self,
        tx: Transaction,
        name: str,
        tick: datetime,
        late_seconds: float,
        run: Run,
        next_tick_at: datetime | None,
    ) -> None:
        parameters = {
            "name": name,
            "tick": tick,
            "late_seconds": late_seconds,
            "job_id": run.job_id,
            "event_id": run.event_id,
            "error": run.error,
            "next_tick_at": next_tick_at,
        }
        await tx.execute(_SQL.advance, parameters)

    async def remember(self, tx: Transaction, name: str, run: Run) -> None:
        parameters = {"name": name, "job_id": run.job_id, "event_id": run.event_id}
        await tx.execute(_SQL.remember, parameters)
