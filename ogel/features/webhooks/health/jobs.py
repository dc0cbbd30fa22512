"""After a recovery, deliveries that wait for their next attempt become due."""

from __future__ import annotations

from typing import Any

from ogel.features.webhooks.deliveries.job import QUEUE
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job, NewJob
from ogel.runtime.jobs.keys import BATCH, JobKeys
from ogel.runtime.jobs.kind import JobKind

DRAIN = "webhooks.drain"


def drain_job(webhook_id: str) -> NewJob:
    # Without a dedupe key: one that is just ending would be waited for, with the endpoint locked, and it is safe to
    # repeat.
    return NewJob(DRAIN, {"webhook": webhook_id})


class Drain:
    """The job kind `webhooks.drain`."""

    def __init__(self, database: Database, keys: JobKeys) -> None:
        self._database = database
        self._keys = keys

    def kind(self) -> JobKind:
        return JobKind(DRAIN, QUEUE, self.perform)

    async def perform(self, job: Job, _: Any) -> None:
        woken = BATCH
        while woken == BATCH:
            async with self._database.transaction() as tx:
                woken = await self._keys.wake_jobs(tx, QUEUE, job.payload["webhook"], BATCH)
