"""The job that removes the objects of a deleted or failed backup."""

from __future__ import annotations

from typing import Any

import structlog

from ogel.features.backups.manifest import place_of
from ogel.features.backups.store import BackupStore
from ogel.kernel.errors import Unavailable
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.jobs.job import Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.objects import ObjectStore, delete_all

log = structlog.get_logger(__name__)

REMOVE = "backups.remove"


def remove_job(backup_id: str) -> NewJob:
    return NewJob(REMOVE, {"backup": backup_id})


class RemoveObjects:
    """The job kind `backups.remove`; its payload is `{"backup": "bak_…"}`."""

    def __init__(self, database: Database, objects: ObjectStore, store: BackupStore) -> None:
        self._database = database
        self._objects = objects
        self._store = store

    def kind(self, queue: str) -> JobKind:
        backoff = RetryPolicy.doubling(
            first_seconds=1.0, cap_seconds=600.0
        )  # a put under way ends in a moment
        return JobKind(REMOVE, queue=queue, perform=self.perform, timeout_seconds=3600, backoff=backoff)

    async def perform(self, job: Job, _: Any) -> Outcome | None:
        id = job.payload["backup"]
        place = place_of(self._objects, id)
        async with self._database.autocommit() as tx:
            left = await self._store.left_behind(tx, id)
        folder = place.folder
        if left is not None:
            status, run = left
            if status != "failed" or not run:
                return None
            folder = place.key(f"{run}/")  # if its job is revived, it uses another folder
        try:
            gone = await delete_all(self._objects, folder)
        except DatabaseAway:
            raise
        except Unavailable as error:
            return Outcome("retry", error.message)
        log.info("backup.removed", backup=id, objects=gone)
        return None
