"""Retention: audit records older than asked for are forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from ogel.features.audit.store import AuditStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database import Database
from ogel.runtime.jobs.job import Job

log = structlog.get_logger(__name__)

PURGE = "audit.purge"
BITE = 5_000


class PurgeAudit:
    def __init__(self, database: Database, store: AuditStore, retention_days: float) -> None:
        self._database = database
        self._store = store
        self._retention = timedelta(days=retention_days)

    async def perform(self, job: Job, _: Any) -> None:
        before = utc_now() - self._retention
        total, deleted = 0, BITE
        while deleted == BITE:
            async with self._database.session() as session:
                deleted = await self._store.purge(session, before, BITE)
            total += deleted
        log.info("audit.purged", records=total, before=before.isoformat(), job=job.id)
