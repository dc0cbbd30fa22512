"""The purge_runs table: the progress of the last run of each purge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.jobs.seen import JOBS
from ogel.runtime.purge import BEGINNING, Cursor

_SQL = Queries.beside(__name__, jobs=JOBS)

RunStatus = Literal["running", "completed", "failed"]


class PurgeRun(msgspec.Struct, frozen=True):
    """
    before          rows older than this are deleted.
    total           how many there were when the run began.
    total_is_least  counting stopped there, so there may be more.
    error           of the last attempt, if that failed; a run that is still `running` is tried again.
    """

    name: str
    job: str
    status: RunStatus
    before: datetime
    total: int
    total_is_least: bool
    deleted: int
    started_at: datetime
    finished_at: datetime | None
    error: str | None


class Counted(NamedTuple):
    """With `is_least` there may be more, because counting stopped there."""

    number: int
    is_least: bool


class UnderWay(NamedTuple):
    """Rows older than `before` are deleted, from the cursor on."""

    before: datetime
    cursor: Cursor


class RunStore:
    async def limit_time(self, tx: Transaction, seconds: float) -> None:
        """A statement of this transaction that takes longer raises TookTooLong."""
        await tx.execute(_SQL.limit_time, {"milliseconds": int(seconds * 1000)})

    async def begin(self, tx: Transaction, name: str, job_id: str, before: datetime, total: Counted) -> bool:
        """Returns False while another job's run is under way."""
        parameters = {
            "name": name,
            "job_id": job_id,
            "before": before,
            "total": total.number,
            "total_is_least": total.is_least,
        }
        return await tx.value(_SQL.begin, parameters) is not None

    async def resume(self, tx: Transaction, name: str, job_id: str) -> UnderWay | None:
        """Returns the limit that the run began with and where it stopped; None when it has not begun or is over."""
        rows = await tx.tuples(_SQL.resume, {"name": name, "job_id": job_id})
        if not rows:
            return None
        [(before, cursor)] = rows
        return UnderWay(before, Cursor(*cursor[:2]) if cursor else BEGINNING)

    async def advance(
        self, tx: Transaction, name: str, job_id: str, deleted: int, cursor: Cursor
    ) -> tuple[int, Counted]:
        """Returns how many rows are deleted so far, and the total."""
        parameters = {"name": name, "job_id": job_id, "deleted": deleted, **cursor._asdict()}
        [(done, total, is_least)] = await tx.tuples(_SQL.advance, parameters)
        return done, Counted(total, is_least)

    async def finish(self, tx: Transaction, name: str, job_id: str) -> tuple[datetime, int] | None:
        """Returns the run's limit and how many rows were deleted; None when it was over already."""
        rows = await tx.tuples(_SQL.finish, {"name": name, "job_id": job_id})
        return (rows[0][0], rows[0][1]) if rows else None

    async def fail(self, tx: Transaction, name: str, job_id: str, error: str) -> None:
        await tx.execute(_SQL.fail, {"name": name, "job_id": job_id, "error": error})

    async def is_waiting(self, tx: Transaction, queue: str, kind: str, name: str) -> bool:
        """Whether a job of that purge is waiting or running."""
        waiting: bool = await tx.value(_SQL.is_waiting, {"queue": queue, "kind": kind, "name": name})
        return waiting

    async def runs(self, tx: Transaction, names: Sequence[str]) -> dict[str, PurgeRun]:
        return {run.name: run for run in await tx.all(_SQL.runs, {"names": list(names)}, PurgeRun)}
