"""The job kind `audit.seal` chains records soon after they were written, in the order of their times."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from ogel.features.audit.chain import End, link
from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.ends import EndChanged, Ends
from ogel.runtime.database.database import Database
from ogel.runtime.database.settled import settled_until
from ogel.runtime.jobs.job import Job, Outcome
from ogel.runtime.jobs.kind import JobKind

log = structlog.get_logger(__name__)

SEAL, QUEUE = "audit.seal", "audit"
BATCH = 500
# After this time the job goes back into the queue, so that stopping a worker does not wait for a large backlog.
SLICE_SECONDS = 5.0
PAUSE_SECONDS = 0.01


class Seal:
    """
    Records are not sealed in the transactions that write them, because these would wait for each other for the hash
    before theirs. A record that commits late, after records of a later time, is sealed when it is first seen; it
    neither gets lost nor blocks others.
    """

    def __init__(self, database: Database, store: ChainStore, ends: Ends) -> None:
        self._database = database
        self._store = store
        self._ends = ends

    def kind(self) -> JobKind:
        return JobKind(SEAL, QUEUE, self.perform, max_attempts=3)

    async def perform(self, job: Job, _: Any) -> Outcome | None:
        loop = asyncio.get_running_loop()
        ends_at, total, sealed = loop.time() + SLICE_SECONDS, 0, BATCH
        try:
            while sealed == BATCH:
                if loop.time() > ends_at:
                    return Outcome("postpone", after_seconds=0.0)
                sealed = await self.batch()
                total += sealed
                await asyncio.sleep(PAUSE_SECONDS)
        except EndChanged as error:
            # Going on would seal a chain that somebody has tampered with.
            log.error("audit.chain_changed", error=str(error), job=job.id)
            return await self._refused(str(error))
        if total:
            log.info("audit.sealed", records=total, job=job.id)
        return None

    async def batch(self) -> int:
        """
        Commits the batch as a whole, or nothing of it, and returns how many records were sealed. Raises EndChanged.
        """
        async with self._database.transaction() as tx:
            head = await self._ends.hold(tx, "head")
            settled, _ = await settled_until(tx)
            records = await self._store.unsealed(tx, settled, BATCH)
            if not records:
                return 0
            hashes: list[bytes] = []
            for seq, record in enumerate(records, head.seq + 1):
                hashes.append(link(hashes[-1] if hashes else head.hash, {**record, "seq": seq}))
            await self._store.seal(tx, [record["id"] for record in records], head.seq + 1, hashes)
            await self._ends.move(tx, "head", End(head.seq + len(records), hashes[-1]))
        return len(records)

    async def _refused(self, error: str) -> Outcome | None:
        """One dead job reports the broken chain; later ticks need not."""
        async with self._database.autocommit() as tx:
            said = await self._store.has_dead_job(tx, QUEUE, SEAL)
        return None if said else Outcome("dead", error)
