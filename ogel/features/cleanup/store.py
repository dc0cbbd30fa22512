"""The purge_runs table: how far the last run of each purge came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from ogel.runtime.database import Queries, Session

_SQL = Queries.beside(__name__)

RunStatus = Literal["running", "completed", "failed"]


class Run(msgspec.Struct, frozen=True):
    """
    before  what was older went.
    total   as many there were when it began.
    error   of its last attempt, if that failed; a run that is still `running` is tried again.
    """

    name: str
    job: str
    status: RunStatus
    before: datetime
    total: int
    deleted: int
    started_at: datetime
    finished_at: datetime | None
    error: str | None


class RunStore:
    async def begin(self, tx: Session, name: str, job_id: str, before: datetime, total: int) -> bool:
        """False: another job's run of it is under way."""
        parameters = {"name": name, "job_id": job_id, "before": before, "total": total}
        return await tx.value(_SQL.begin, parameters) is not None

    async def resume(self, session: Session, name: str, job_id: str) -> datetime | None:
        """The limit its run began with; None: it has not begun, or is over."""
        before: datetime | None = await session.value(_SQL.resume, {"name": name, "job_id": job_id})
        return before

    async def advance(self, tx: Session, name: str, job_id: str, deleted: int) -> tuple[int, int]:
        """How many are deleted in all, of how many there were."""
        [(done, total)] = await tx.tuples(_SQL.advance, {"name": name, "job_id": job_id, "deleted": deleted})
        return done, total

    async def finish(self, tx: Session, name: str, job_id: str) -> tuple[datetime, int] | None:
        """What was older went, and how much; None: it was over already."""
        rows = await tx.tuples(_SQL.finish, {"name": name, "job_id": job_id})
        return (rows[0][0], rows[0][1]) if rows else None

    async def fail(self, tx: Session, name: str, job_id: str, error: str) -> None:
        await tx.execute(_SQL.fail, {"name": name, "job_id": job_id, "error": error})

    async def is_waiting(self, session: Session, queue: str, kind: str, name: str) -> bool:
        """A job of that purge is not over yet."""
        waiting: bool = await session.value(_SQL.is_waiting, {"queue": queue, "kind": kind, "name": name})
        return waiting

    async def runs(self, session: Session, names: Sequence[str]) -> dict[str, Run]:
        return {run.name: run for run in await session.all(_SQL.runs, {"names": list(names)}, Run)}
