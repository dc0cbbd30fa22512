"""Schedules as an operator sees them: what runs when, and "now, please"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ogel.features.audit.contract import AuditTrail
from ogel.kernel.principal import Caller
from ogel.runtime.database import Database
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.store import ScheduleState
from ogel.runtime.schedule.ticks import Ticker


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule and where it stands; a new one has no last tick until a scheduler has seen it."""

    schedule: Schedule
    last_tick_at: datetime | None
    next_tick_at: datetime
    last_job_id: str | None


class ScheduleService:
    def __init__(
        self, database: Database, jobs: JobQueue, schedules: Sequence[Schedule], audit: AuditTrail
    ) -> None:
        self._database = database
        self._ticker = Ticker(database, jobs, schedules)
        self._audit = audit

    async def list(self) -> list[Planned]:
        """By name."""
        states = await self._ticker.states()
        return [_planned(self._ticker.schedules[name], states[name]) for name in sorted(states)]

    async def run(self, caller: Caller, name: str) -> str:
        """The id of the job that was written. NotFound: no such schedule."""
        async with self._database.transaction() as tx:
            job_id = await self._ticker.run_now(tx, name)
            await self._audit.record(tx, caller, "schedule.run", "schedule", name, {"job": job_id})
        return job_id


def _planned(schedule: Schedule, state: ScheduleState) -> Planned:
    last = state.last_tick_at.astimezone(UTC) if state.last_tick_at else None
    return Planned(schedule, last, schedule.next_tick(state.now), state.last_job_id)
