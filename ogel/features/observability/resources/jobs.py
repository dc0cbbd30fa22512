"""The job that takes samples of resources."""

from __future__ import annotations

from typing import Any

import structlog

from ogel.features.observability.resources.sampler import Sampler
from ogel.features.observability.resources.store import ResourceStore
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job

log = structlog.get_logger(__name__)

SAMPLE = "stats.resources"


class TakeSamples:
    def __init__(self, database: Database, store: ResourceStore, sampler: Sampler) -> None:
        self._database = database
        self._store = store
        self._sampler = sampler

    async def perform(self, job: Job, _: Any) -> None:
        """Performed again it takes new samples at another time, which are equally valid."""
        samples = await self._sampler.everything()
        async with self._database.autocommit() as tx:
            await self._store.insert(tx, samples)
        log.debug("resources.sampled", samples=len(samples), job=job.id)
