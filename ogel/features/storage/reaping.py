"""The jobs that delete what nobody wants any more: blobs each minute, and what broken uploads left each hour."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter

from ogel.features.storage.blobs.blob import PREFIX
from ogel.features.storage.blobs.service import BlobService
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Unavailable
from ogel.runtime.jobs.job import Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.objects import ObjectStore
from ogel.runtime.schedule.schedule import Schedule

log = structlog.get_logger(__name__)

REAP, SWEEP = "storage.reap", "storage.sweep"
SCHEDULES = [
    Schedule(name=REAP, cron="* * * * *", kind=REAP),
    Schedule(name=SWEEP, cron="23 * * * *", kind=SWEEP),
]
# A run begins no round after this; what is left waits for the next minute.
_RUN_SECONDS = 40.0
# No put goes on for so long.
_LEFT_BEHIND = timedelta(days=1)


class Reaper:
    def __init__(self, blobs: BlobService, objects: ObjectStore, registry: CollectorRegistry) -> None:
        self._blobs = blobs
        self._objects = objects
        self._reaped = Counter(
            "ogel_storage_reaped_blobs", "Deleted because nobody wanted them any more.", registry=registry
        )

    def kinds(self) -> Sequence[JobKind]:
        """Neither is tried again: the next tick is near."""
        return [
            JobKind(REAP, queue="cleanup", perform=self.reap, max_attempts=1),
            JobKind(SWEEP, queue="cleanup", perform=self.sweep, max_attempts=1, timeout_seconds=600.0),
        ]

    async def reap(self, job: Job, loaded: Any) -> Outcome:
        began, reaped = time.monotonic(), 0
        try:
            while time.monotonic() - began < _RUN_SECONDS and (gone := await self._blobs.reap()):
                reaped += gone
                self._reaped.inc(gone)
        except Unavailable as error:
            log.warning("storage.store_away", error=error.message)
        if reaped:
            log.info("storage.reaped", blobs=reaped)
        return Outcome("done")

    async def sweep(self, job: Job, loaded: Any) -> Outcome:
        """What puts that were killed left in the store, which is no object there."""
        try:
            if gone := await self._objects.sweep(PREFIX, utc_now() - _LEFT_BEHIND):
                log.info("storage.swept", uploads=gone)
        except Unavailable as error:
            log.warning("storage.store_away", error=error.message)
        return Outcome("done")
