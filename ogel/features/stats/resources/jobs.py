"""What workers do about resources: take samples, and forget old ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from ogel.features.stats.resources.sampler import Sampler
from ogel.features.stats.resources.store import ResourceStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database import Database
from ogel.runtime.jobs.job import Job

log = structlog.get_logger(__name__)

SAMPLE, PURGE = "stats.resources", "stats.purge_resources"
BITE = 5_000


class TakeSamples:
    def __init__(self, database: Database, store: ResourceStore, sampler: Sampler) -> None:
        self._database = database
        self._store = store
        self._sampler = sampler

    async def perform(self, job: Job, _: Any) -> None:
        """Performed again it takes other samples, at another time, which are as true."""
        samples = await self._sampler.everything()
        async with self._database.session() as session:
            await self._store.insert(session, samples)
        log.debug("resources.sampled", samples=len(samples), job=job.id)


class PurgeSamples:
    def __init__(self, database: Database, store: ResourceStore, retention_days: float) -> None:
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
        log.info("resources.purged", samples=total, before=before.isoformat(), job=job.id)
