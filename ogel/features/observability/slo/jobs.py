"""The job that adds up what processes counted for the objectives, into minutes, hours and days."""

from __future__ import annotations

from typing import Any

import structlog

from ogel.features.observability.slo.store import SloStore
from ogel.features.observability.slo.windows import MINUTES_KEPT
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job

log = structlog.get_logger(__name__)

FOLD = "slo.fold"
BATCH = 2_000


class FoldTallies:
    def __init__(self, database: Database, store: SloStore) -> None:
        self._database = database
        self._store = store

    async def perform(self, job: Job, _: Any) -> None:
        """One batch per transaction. Does nothing while another worker is doing it."""
        total, folded = 0, BATCH
        while folded == BATCH:
            async with self._database.transaction() as tx:
                if not await self._store.lock(tx):
                    return
                folded = await self._store.fold(tx, BATCH)
                if folded < BATCH:
                    await self._store.forget_minutes(tx, utc_now() - MINUTES_KEPT)
            total += folded
        log.debug("slo.folded", deltas=total, job=job.id)
