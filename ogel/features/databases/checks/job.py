"""The job that checks a database: at most one unfinished for each version of it."""

from __future__ import annotations

from ogel.runtime.jobs.job import NewJob

CHECK = "databases.check"


def check_job(database_id: str, version: int) -> NewJob:
    """`version` is that of the database: a check of an earlier version may be under way, and will not count."""
    return NewJob(
        CHECK,
        {"database": database_id},
        key=check_key(database_id),
        dedupe_key=f"{CHECK}:{database_id}:{version}",
    )


def check_key(database_id: str) -> str:
    """Differs from the key of migrations, which may take an hour, so that the database is checked meanwhile."""
    return f"{CHECK}:{database_id}"
