"""The schedules table: which tick each schedule was last run for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ogel.runtime.database import Queries, Session

_SQL = Queries.beside(__name__)
# How far a scheduler's clock may be ahead of the database's.
_CLOCK_TOLERANCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """`last_tick_at` is None for a schedule that was never registered; `now` is the database's."""

    name: str
    last_tick_at: datetime | None
    last_job_id: str | None
    now: datetime


class ScheduleStore:
    async def states(self, session: Session, names: Sequence[str]) -> dict[str, ScheduleState]:
        rows = await session.all(_SQL.states, {"names": list(names)}, ScheduleState)
        return {state.name: state for state in rows}

    async def register(self, session: Session, name: str, tick: datetime) -> None:
        """Nothing changes for a schedule that has a last tick."""
        await session.execute(_SQL.register, {"name": name, "tick": tick})

    async def advance(self, tx: Session, name: str, tick: datetime) -> float | None:
        """How many seconds late the tick is; None when it is not this caller's to run."""
        parameters = {"name": name, "tick": tick, "tolerance_seconds": _CLOCK_TOLERANCE_SECONDS}
        late_seconds: float | None = await tx.value(_SQL.advance, parameters)
        return late_seconds

    async def remember_job(self, tx: Session, name: str, job_id: str) -> None:
        await tx.execute(_SQL.remember_job, {"name": name, "job_id": job_id})
