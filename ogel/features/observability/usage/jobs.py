"""The job that adds usage counts up into hours and days."""

from __future__ import annotations

from typing import Any

import structlog

from ogel.features.observability.folding import fold_all
from ogel.features.observability.usage.store import UsageStore
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job

log = structlog.get_logger(__name__)

ROLL_UP = "stats.roll_up"
BATCH = 5_000


class RollUp:
    def __init__(self, database: Database, store: UsageStore) -> None:
        self._database = database
        self._store = store

    async def perform(self, job: Job, _: Any) -> None:
        if (total := await fold_all(self._database, self._store, BATCH, self._store.fold_peaks)) is not None:
            log.debug("usage.rolled_up", deltas=total, job=job.id)
