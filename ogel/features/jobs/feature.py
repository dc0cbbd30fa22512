"""The manifest of queues and jobs."""

from __future__ import annotations

from ogel.features.jobs.routes import JobRoutes
from ogel.features.jobs.service import JobService
from ogel.runtime.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.keys import DropKey

_SQL = Queries.beside(__name__)

# Bites out of big tables, like cleanup's own.
_QUEUE = "cleanup"


def jobs_feature(service: JobService, drop_key: DropKey) -> Feature:
    return Feature(
        name="jobs",
        routes=JobRoutes(service).routes(),
        jobs=[drop_key.kind(_QUEUE)],
        restored=[_SQL.restored_jobs, _SQL.restored_keys],
    )
