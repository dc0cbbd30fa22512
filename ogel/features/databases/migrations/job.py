"""The job that a run of migrations is performed by."""

from __future__ import annotations

from ogel.runtime.jobs.job import NewJob

MIGRATE = "databases.migrate"


def migrate_job(run_id: str, database_id: str) -> NewJob:
    """A run has one job, whose id follows from its own: it can be found, and not exist twice."""
    return NewJob(
        MIGRATE,
        {"run": run_id, "database": database_id},
        key=migrate_key(database_id),
        id=job_id_of(run_id),
    )


def migrate_key(database_id: str) -> str:
    return f"{MIGRATE}:{database_id}"


def job_id_of(run_id: str) -> str:
    return "job_" + run_id.removeprefix("dbm_")
