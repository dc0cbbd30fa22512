"""Purges of dead jobs, after their retention, and of job results, when they expire."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.purge import Purge, whole


def purges_of_jobs(jobs: JobQueue, dead_retention_days: float) -> Sequence[Purge]:
    """Dead jobs that belong to something else are purged together with it: see `JobKind.purged_with`."""
    return [
        Purge(
            "dead_jobs", "jobs that died and stayed so", dead_retention_days, jobs.count_dead, jobs.purge_dead
        ),
        Purge(
            "job_results",
            "results that were to be kept no longer",
            0,
            jobs.count_results,
            whole(jobs.purge_results),
        ),
    ]
