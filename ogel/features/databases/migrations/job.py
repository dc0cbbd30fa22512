"""The job that performs a run of migrations."""

from __future__ import annotations

from ogel.runtime.jobs.job import NewJob, job_id_of

MIGRATE = "databases.migrate"


def migrate_job(run_id: str, database_id: str) -> NewJob:
    return NewJob(
        MIGRATE,
        {"run": run_id, "database": database_id},
        key=migrate_key(database_id),
        id=job_id_of(run_id),
    )


def migrate_key(database_id: str) -> str:
    return f"{MIGRATE}:{database_id}"
