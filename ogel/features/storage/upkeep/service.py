"""Begins the work that operators ask for; workers of the queue `cleanup` do it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ogel.features.storage.reaping import REAP
from ogel.features.storage.upkeep.verifying import verify_job
from ogel.kernel.errors import Conflict
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


class Verification(Struct, frozen=True, forbid_unknown_fields=True):
    """
    sample  the share of the blobs whose content is read and compared with its MD5, too.
    fix     what is wrong is put right where that loses nothing: what is nobody's is deleted, quotas are counted anew.
    """

    sample: Annotated[float, Meta(ge=0, le=1)] = 0.0
    fix: bool = False


class Begun(Struct, frozen=True):
    """`GET /api/jobs/{job}` tells how far it is, and for a day what was found."""

    job: str


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

    async def verify(self, caller: Caller, wanted: Verification) -> Begun:
        """Raises Conflict while one is under way."""
        job = verify_job(fix=wanted.fix, sample=wanted.sample)
        async with self._database.transaction() as tx:
            if not await self._jobs.enqueue(tx, [job]):
                raise Conflict("A verification is under way.")
            await self._audit.record(tx, caller, "storage.verify", "storage", "blobs", job.payload)
        return Begun(job.id)
