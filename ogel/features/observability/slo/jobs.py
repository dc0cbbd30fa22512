"""The job that adds up what processes counted for the objectives, into minutes, hours and days."""

from __future__ import annotations

from typing import Any

import structlog

from ogel.features.observability.folding import fold_all
from ogel.features.observability.slo.store import SloStore
from ogel.features.observability.slo.windows import MINUTES_KEPT
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.job import Job

log = structlog.get_logger(__name__)

FOLD = "slo.fold"
BATCH = 2_000


class FoldTallies:
    def __init__(self, database: Database, store: SloStore) -> None:
        self._database = database
        self._store = store

    async def perform(self, job: Job, _: Any) -> None:
        if (total := await fold_all(self._database, self._store, BATCH, self._forget)) is not None:
            log.debug("slo.folded", deltas=total, job=job.id)

    async def _forget(self, tx: Transaction) -> None:
        await self._store.forget_minutes(tx, utc_now() - MINUTES_KEPT)
