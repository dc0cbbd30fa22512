"""The job that deletes blobs which nobody wants any more, each minute."""

from __future__ import annotations

from typing import Any

from ogel.features.storage.blobs.service import BlobService
from ogel.runtime.jobs.job import Job
from ogel.runtime.schedule.schedule import Schedule

KIND = "storage.reap"
SCHEDULE = Schedule(name=KIND, cron="* * * * *", kind=KIND)
# Of one run; what is left waits for the next minute.
_MOST_ROUNDS = 50


class Reaper:
    def __init__(self, blobs: BlobService) -> None:
        self._blobs = blobs

    async def perform(self, job: Job, loaded: Any) -> None:
        for _ in range(_MOST_ROUNDS):
            if not await self._blobs.reap():
                return
