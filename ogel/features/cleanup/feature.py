"""The manifest of cleanup."""

from __future__ import annotations

from ogel.features.cleanup.jobs import PURGE, Purge
from ogel.runtime.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.schedule.schedule import Schedule


def cleanup_feature(database: Database, retention_days: float) -> Feature:
    return Feature(
        name="cleanup",
        jobs=[
            JobKind(
                PURGE,
                queue="cleanup",
                perform=Purge(database, retention_days).perform,
                open=True,
                timeout_seconds=3600,
            )
        ],
        schedules=[
            Schedule(
                name="cleanup.purge",
                cron="0 2 * * *",
                kind=PURGE,
                description="Deletes finished deliveries and events past OGEL_RETENTION_DAYS.",
            )
        ],
    )
