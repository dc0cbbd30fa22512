"""What workers do about usage: fold what was counted into hours and days, and forget the old ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from ogel.features.stats.usage.store import UsageStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database import Database, Session
from ogel.runtime.jobs.job import Job

log = structlog.get_logger(__name__)

ROLL_UP, PURGE = "stats.roll_up", "stats.purge_usage"
BITE = 5_000
# Processes that have not been heard of for so long are forgotten, and deltas that nobody has folded in it.
PATIENCE = timedelta(days=7)


class RollUp:
    def __init__(self, database: Database, store: UsageStore) -> None:
        self._database = database
        self._store = store

    async def perform(self, job: Job, _: Any) -> None:
        """A bite to a transaction. When somebody else is at it there is nothing to do."""
        total, folded = 0, BITE
        while folded == BITE:
            async with self._database.transaction() as tx:
                if not await self._store.lock(tx):
                    return
                folded = await self._store.fold(tx, BITE)
                if folded < BITE:
                    await self._store.fold_peaks(tx)
            total += folded
        log.debug("usage.rolled_up", deltas=total, job=job.id)


class PurgeUsage:
    def __init__(
        self, database: Database, store: UsageStore, hours_kept_days: float, days_kept_days: float
    ) -> None:
        self._database = database
        self._store = store
        self._kept = {"hour": timedelta(days=hours_kept_days), "day": timedelta(days=days_kept_days)}

    async def perform(self, job: Job, _: Any) -> None:
        for bucket, kept in self._kept.items():
            before = utc_now() - kept
            rows = await self._bite(partial(self._store.purge, bucket=bucket, before=before, limit=BITE))
            log.info("usage.purged", bucket=bucket, rows=rows, before=before.isoformat(), job=job.id)
        before = utc_now() - PATIENCE
        if lost := await self._bite(partial(self._store.purge_deltas, before=before, limit=BITE)):
            log.error("usage.never_folded", deltas=lost, advice="run a worker of the queue stats")
        async with self._database.session() as session:
            await self._store.purge_processes(session, before)

    async def _bite(self, purge: Callable[[Session], Awaitable[int]]) -> int:
        total, deleted = 0, BITE
        while deleted == BITE:
            async with self._database.session() as session:
                deleted = await purge(session)
            total += deleted
        return total
