"""The job that reads once an hour what the project costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.schedule.schedule import Schedule

if TYPE_CHECKING:
    from ogel.features.costs.service import CostService

READ = "costs.read"
# A request for each environment, and each may take its time.
_TIMEOUT_SECONDS = 600.0

# Not at the full hour, when everybody asks.
HOURLY = Schedule(READ, "17 * * * *", READ, "Reads what the project on Railway has cost so far.")


class ReadCosts:
    def __init__(self, service: Callable[[], CostService]) -> None:
        self._service = service

    def kind(self) -> JobKind:
        backoff = RetryPolicy.doubling(first_seconds=30.0, cap_seconds=300.0)
        return JobKind(
            READ, "stats", self.perform, max_attempts=3, backoff=backoff, timeout_seconds=_TIMEOUT_SECONDS
        )

    async def perform(self, job: Job, _: Any) -> None:
        """Performed again it reads again. What Railway does not tell is stored as such, and asked for an hour later."""
        await self._service().read()
