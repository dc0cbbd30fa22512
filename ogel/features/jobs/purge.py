"""Dead jobs are kept until someone decides about them; after a time nobody will."""

from __future__ import annotations

from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.purge import Purge


def purge_of_dead_jobs(jobs: JobQueue, retention_days: float) -> Purge:
    """Save for those that go together with what they belong to: see `JobKind.purged_with`."""
    return Purge(
        "dead_jobs",
        "jobs that died and that nobody retried",
        retention_days,
        jobs.count_dead,
        jobs.purge_dead,
    )
