"""Retention of events and deliveries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from ogel.kernel.clock import utc_now
from ogel.runtime.database import Database, Queries
from ogel.runtime.jobs.job import Job

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)
PURGE = "cleanup.purge"
BITE = 1_000


class Purge:
    def __init__(self, database: Database, retention_days: float) -> None:
        self._database = database
        self._retention = timedelta(days=retention_days)

    async def perform(self, job: Job, _: Any) -> None:
        before = utc_now() - self._retention
        deliveries = await self._bite(_SQL.purge_deliveries, before)
        events = await self._bite(_SQL.purge_events, before)
        log.info(
            "cleanup.purged", deliveries=deliveries, events=events, before=before.isoformat(), job=job.id
        )

    async def _bite(self, query: bytes, before: datetime) -> int:
        total, deleted = 0, BITE
        while deleted == BITE:
            async with self._database.session() as session:
                deleted = await session.value(query, {"before": before, "limit": BITE})
            total += deleted
        return total
