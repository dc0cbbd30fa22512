"""The job that checks the alert rules once a minute."""

from __future__ import annotations

from typing import Any

from ogel.features.observability.alerts.service import AlertService
from ogel.features.observability.ticks import is_overtaken
from ogel.runtime.jobs.job import Job

CHECK = "alerts.check"


class CheckAlerts:
    def __init__(self, service: AlertService) -> None:
        self._service = service

    async def perform(self, job: Job, _: Any) -> None:
        if not is_overtaken(job):
            await self._service.check(job.payload["tick"])
