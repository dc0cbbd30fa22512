"""The manifest of the audit log."""

from __future__ import annotations

from ogel.features.audit.routes import AuditRoutes
from ogel.features.audit.store import AuditStore
from ogel.runtime.database import Database, Queries
from ogel.runtime.feature import Feature
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def audit_feature(database: Database, store: AuditStore, retention_days: float) -> Feature:
    return Feature(
        name="audit",
        routes=AuditRoutes(database, store).routes(),
        purges=[
            Purge.of_queries(
                "audit_logs", "audit records", retention_days, count=_SQL.count_old, bite=_SQL.purge_old
            )
        ],
    )
