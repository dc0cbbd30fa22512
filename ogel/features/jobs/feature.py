"""The manifest of queues and jobs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ogel.features.jobs.purge import purges_of_jobs
from ogel.features.jobs.settings import JobsSettings
from ogel.runtime.alerts import AlertRule
from ogel.runtime.core import Core
from ogel.runtime.database.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.keys import DropKey

if TYPE_CHECKING:
    from ogel.features.jobs.service import JobService

_SQL = Queries.beside(__name__)

# Jobs that delete batches from big tables run where cleanup's own do.
_QUEUE = "cleanup"


def build(core: Core, settings: JobsSettings) -> Feature:
    offered = JobServices(core)
    return Feature(
        name="jobs",
        routes=offered.routes,
        scopes={"jobs:read": "look at queues and jobs", "jobs:write": "pause queues, retry and drop jobs"},
        jobs=[DropKey(core.database, core.keys).kind(_QUEUE)],
        purges=purges_of_jobs(core.jobs, settings.dead_retention_days),
        tables=["job_keys", "job_queue", "job_results", "paused_queues"],
        restored=[_SQL.restored_jobs, _SQL.restored_keys],
        alerts=[
            AlertRule(
                "queue.stuck",
                "critical",
                settings.alert_queue_seconds,
                "queue.stuck_seconds",
                "queue-backlog.md",
                subject="queue",
            ),
            AlertRule(
                "jobs.dead",
                "warning",
                settings.alert_dead_jobs,
                "queue.jobs",
                "dead-jobs.md",
                {"status": "dead"},
                "queue",
            ),
        ],
        settings=settings,
        offers=offered,
    )


class JobServices:
    def __init__(self, core: Core) -> None:
        self._core = core

    @cached_property
    def service(self) -> JobService:
        """Knows the job kinds of all features."""
        from ogel.features.jobs.service import JobService

        core = self._core
        kinds = [kind for feature in core.features.all() for kind in feature.jobs]
        return JobService(
            core.database, core.jobs, core.audit, core.depths, core.pressure, core.redis_workers, kinds
        )

    def routes(self) -> Sequence[Route]:
        from ogel.features.jobs.routes import JobRoutes

        return JobRoutes(self.service).routes()
