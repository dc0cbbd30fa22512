"""The manifest of the audit log."""

from __future__ import annotations

from ogel.features.audit.jobs import PURGE, PurgeAudit
from ogel.features.audit.routes import AuditRoutes
from ogel.features.audit.store import AuditStore
from ogel.runtime.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.schedule.schedule import Schedule


def audit_feature(database: Database, store: AuditStore, retention_days: float) -> Feature:
    purge = PurgeAudit(database, store, retention_days)
    return Feature(
        name="audit",
        routes=AuditRoutes(database, store).routes(),
        jobs=[JobKind(PURGE, queue="audit", perform=purge.perform, timeout_seconds=3600, open=True)],
        schedules=[
            Schedule(
                name="audit.purge",
                cron="0 2 * * *",
                kind=PURGE,
                description="Deletes audit records past OGEL_AUDIT_RETENTION_DAYS.",
            )
        ],
    )
