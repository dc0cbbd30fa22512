"""Begins the work that operators ask for; workers of the queue `cleanup` do it."""

from __future__ import annotations

from msgspec import Struct

from ogel.features.storage.reaping import REAP
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.store import JobQueue

_SQL = Queries.beside(__name__)


class Due(Struct, frozen=True):
    """Blobs that should be gone, and their bytes. `job` deletes them; null: one that does is under way."""

    blobs: int
    bytes: int
    job: str | None = None


class Upkeep:
    def __init__(self, database: Database, jobs: JobQueue, audit: AuditTrail) -> None:
        self._database = database
        self._jobs = jobs
        self._audit = audit

    async def gc(self, caller: Caller) -> Due:
        """Has the reaper come now instead of at the next minute."""
        job = NewJob(REAP, {}, dedupe_key=f"{REAP}:now")
        async with self._database.transaction() as tx:
            due = await tx.one(_SQL.due, None, Due)
            assert due is not None  # an aggregate has a row
            if written := await self._jobs.enqueue(tx, [job]):
                await self._audit.record(tx, caller, "storage.gc", "storage", "blobs")
        return Due(due.blobs, due.bytes, job.id if written else None)
