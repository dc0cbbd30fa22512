"""The job that a database is looked at by: at most one unfinished for each version of it."""

from __future__ import annotations

from ogel.runtime.jobs.job import NewJob

CHECK = "databases.check"


def check_job(database_id: str, version: int) -> NewJob:
    """`version` of the database: a check of an earlier one may be under way, and will not count."""
    return NewJob(
        CHECK,
        {"database": database_id},
        key=check_key(database_id),
        dedupe_key=f"{CHECK}:{database_id}:{version}",
    )


def check_key(database_id: str) -> str:
    """Not that of migrations: one of those may take an hour, and the database is watched meanwhile."""
    return f"{CHECK}:{database_id}"
