"""The job that looks after objects each minute: what has expired goes, and scans that nobody began begin."""

from __future__ import annotations

import time
from typing import Any

from ogel.features.storage.lifecycle.service import Lifecycle
from ogel.features.storage.quotas.service import QuotaService
from ogel.features.storage.scanning.service import Scans
from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import DONE, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.schedule.schedule import Schedule

KIND = "storage.tend"
SCHEDULE = Schedule(
    name=KIND,
    cron="* * * * *",
    kind=KIND,
    description="Deletes objects that have expired, has scans begun, lets quotas of users be as the setting says.",
)
# What is left waits for the next minute.
_RUN_SECONDS = 40.0
# What a scanner refused is tried again once an hour: its settings may be others.
_AGAIN_AT_MINUTE = 17


class Tending:
    def __init__(self, lifecycle: Lifecycle, scans: Scans, quotas: QuotaService) -> None:
        self._lifecycle = lifecycle
        self._scans = scans
        self._quotas = quotas

    def kind(self) -> JobKind:
        """It is not tried again: the next tick is near."""
        return JobKind(KIND, queue="cleanup", perform=self.perform, max_attempts=1)

    async def perform(self, job: Job, loaded: Any) -> Outcome:
        await self._quotas.settle()
        await self._scans.begin_all(again=utc_now().minute == _AGAIN_AT_MINUTE)
        began = time.monotonic()
        while time.monotonic() - began < _RUN_SECONDS and await self._lifecycle.expire():
            pass
        return DONE
