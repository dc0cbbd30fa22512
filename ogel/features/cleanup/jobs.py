"""The job kind `cleanup.purge`: one purge, deleted in batches with pauses, so that other work goes first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog

from ogel.features.cleanup.counting import count
from ogel.features.cleanup.pace import LONGEST_BATCH_SECONDS, PurgePace
from ogel.features.cleanup.store import RunStore, UnderWay
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, TookTooLong, Transaction
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.progress import report
from ogel.runtime.purge import BEGINNING, BatchDone, Purge

log = structlog.get_logger(__name__)

PURGE, QUEUE = "cleanup.purge", "cleanup"

# After this time the job goes back into the queue, so that stopping a worker waits for one batch only.
SLICE_SECONDS = 5.0
WAIT_SECONDS = 1.0


class RunPurge:
    """
    Its payload is `{"what": "events"}`. An interrupted run continues where it stopped, with the same time limit of
    age.
    """

    def __init__(
        self, database: Database, store: RunStore, audit: AuditTrail, purges: Mapping[str, Purge]
    ) -> None:
        self._database = database
        self._store = store
        self._audit = audit
        self._purges = purges
        self._paces: dict[str, PurgePace] = {}
        # One batch at a time over all purges: they share the capacity that other work leaves.
        self._turn = asyncio.Lock()

    def kind(self) -> JobKind:
        return JobKind(PURGE, QUEUE, self.perform, record=self.record, timeout_seconds=300, open=True)

    async def perform(self, job: Job, _: Any) -> Outcome | None:
        purge = self._purges.get(str(job.payload.get("what")))
        if purge is None:
            log.warning("cleanup.unknown", job=job.id, payload=job.payload)
            return None
        if await self._is_early(purge):
            return Outcome("postpone", after_seconds=WAIT_SECONDS)
        run = await self._begin(purge, job.id)
        if run is None:
            log.info("cleanup.under_way", purge=purge.name, job=job.id)
            return None
        try:
            is_over = await self._delete_for_a_slice(purge, job.id, run)
        except TookTooLong:
            return Outcome(
                "retry", f"even one at a time they are not deleted within {LONGEST_BATCH_SECONDS:g} s"
            )
        if not is_over:
            return Outcome("postpone", after_seconds=0.0)
        await self._finish(purge, job.id)
        return None

    async def _is_early(self, purge: Purge) -> bool:
        if purge.after is None:
            return False
        async with self._database.autocommit() as tx:
            return await self._store.is_waiting(tx, QUEUE, PURGE, purge.after)

    async def _begin(self, purge: Purge, job_id: str) -> UnderWay | None:
        """Returns None when nothing is left to do for this job."""
        async with self._database.autocommit() as tx:
            if (run := await self._store.resume(tx, purge.name, job_id)) is not None:
                return run
        before = utc_now() - timedelta(days=purge.retention_days)
        total = await count(self._database, self._store, purge, before)
        async with self._database.transaction() as tx:
            begun = await self._store.begin(tx, purge.name, job_id, before, total)
        return UnderWay(before, BEGINNING) if begun else None

    async def _delete_for_a_slice(self, purge: Purge, job_id: str, run: UnderWay) -> bool:
        """Returns True when nothing is left. Raises TookTooLong when even one row could not be deleted in time."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + SLICE_SECONDS
        pace, cursor = self._paces.setdefault(purge.name, PurgePace()), run.cursor
        while loop.time() < ends_at:
            async with self._turn:
                began = loop.time()
                try:
                    batch = await self._batch(purge, job_id, UnderWay(run.before, cursor), pace.batch)
                except TookTooLong:
                    log.warning("cleanup.batch_took_too_long", purge=purge.name, batch=pace.batch, job=job_id)
                    if pace.batch == 1:
                        raise
                    await asyncio.sleep(pace.pause_after_too_long(loop.time() - began))
                    continue
                if batch.is_over:
                    return True
                cursor = batch.cursor
                await asyncio.sleep(pace.pause_after(loop.time() - began))
        log.info("cleanup.goes_on", purge=purge.name, job=job_id)
        return False

    async def _batch(self, purge: Purge, job_id: str, run: UnderWay, limit: int) -> BatchDone:
        async with self._database.transaction() as tx:
            await self._store.limit_time(tx, LONGEST_BATCH_SECONDS)
            batch = await purge.batch(tx, run.before, limit, run.cursor)
            done, total = await self._store.advance(tx, purge.name, job_id, batch.deleted, batch.cursor)
        report(done, None if total.is_least else total.number, purge.name)
        return batch

    async def _finish(self, purge: Purge, job_id: str) -> None:
        async with self._database.transaction() as tx:
            finished = await self._store.finish(tx, purge.name, job_id)
            if finished is None:
                return
            before, deleted = finished
            if deleted:
                metadata = {"before": before.isoformat(), "deleted": deleted}
                caller = Caller(SYSTEM, request_id=job_id)
                await self._audit.record(tx, caller, "cleanup.purge", "purge", purge.name, metadata)
        log.info("cleanup.purged", purge=purge.name, deleted=deleted, before=before.isoformat(), job=job_id)

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        for each in finished:
            if each.outcome.verdict in ("retry", "dead"):
                error = each.outcome.error or "its job is dead"
                await self._store.fail(tx, str(each.job.payload.get("what")), each.job.id, error)
