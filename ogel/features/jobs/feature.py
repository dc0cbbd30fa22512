"""The manifest of queues and jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ogel.runtime.database.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.keys import DropKey

if TYPE_CHECKING:
    from ogel.features.jobs.service import JobService

_SQL = Queries.beside(__name__)

# Batches out of big tables, like cleanup's own.
_QUEUE = "cleanup"


def jobs_feature(service: Callable[[], JobService], drop_key: DropKey) -> Feature:
    def routes() -> Sequence[Route]:
        from ogel.features.jobs.routes import JobRoutes

        return JobRoutes(service()).routes()

    return Feature(
        name="jobs",
        routes=routes,
        jobs=[drop_key.kind(_QUEUE)],
        restored=[_SQL.restored_jobs, _SQL.restored_keys],
    )
