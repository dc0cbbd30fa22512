"""Empties buckets: what a request has time for at once, the rest by a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ogel.features.storage.events import OBJECT_REMOVED, object_event
from ogel.features.storage.objects.store import ObjectRows
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job, NewJob
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox

KIND = "storage.empty"
# Of one transaction, which publishes an event for each.
_AT_ONCE = 500
# Transactions of a request, and of an attempt of the job.
_NOW, _BY_JOB = 4, 200


class Emptying:
    def __init__(self, database: Database, rows: ObjectRows, outbox: Outbox, jobs: JobQueue) -> None:
        self._database = database
        self._rows = rows
        self._outbox = outbox
        self._jobs = jobs

    async def begin(self, bucket: str) -> bool:
        """Deletes what is there now, or lets a job do it. Returns whether it is done."""
        async with self._database.autocommit() as tx:
            until = await self._rows.now(tx)
        if await self._delete(bucket, until, _NOW):
            return True
        await self._go_on(bucket, until)
        return False

    async def perform(self, job: Job, loaded: Any) -> None:
        bucket, until = str(job.payload["bucket"]), datetime.fromisoformat(str(job.payload["until"]))
        if not await self._delete(bucket, until, _BY_JOB):
            await self._go_on(bucket, until)

    async def _go_on(self, bucket: str, until: datetime) -> None:
        job = NewJob(KIND, {"bucket": bucket, "until": until.isoformat()})
        async with self._database.transaction() as tx:
            await self._jobs.enqueue(tx, [job])

    async def _delete(self, bucket: str, until: datetime, rounds: int) -> bool:
        """Returns whether nothing is left of what was there then."""
        for _ in range(rounds):
            async with self._database.transaction() as tx:
                gone = await self._rows.delete_some(tx, bucket, until, _AT_ONCE)
                await self._outbox.publish(tx, [object_event(OBJECT_REMOVED, each) for each in gone])
            if len(gone) < _AT_ONCE:
                return True
        return False
