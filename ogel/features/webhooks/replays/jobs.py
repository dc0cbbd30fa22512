"""The job of a replay, which runs step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from ogel.features.webhooks.deliveries.job import QUEUE
from ogel.features.webhooks.replays.handover import HandOver, spread
from ogel.features.webhooks.replays.replay import ReplayProgress, ReplayStatus, ReplayTarget
from ogel.features.webhooks.replays.store import ReplayStore
from ogel.features.webhooks.replays.walk import count, look
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.job import Finished, Job, NewJob
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue

log = structlog.get_logger(__name__)

REPLAY_STEP = "webhooks.replay"

# Deliveries that one step hands over: as fast as the endpoint takes them, and at a rate. A step is one transaction of
# milliseconds for which live deliveries wait, in Postgres and in the worker: of 500 they felt it.
BATCH, PACED_BATCH = 200, 100
# While so many are due for the endpoint and no worker takes them, nothing is added: a replay of millions leaves the
# queue as short as it found it. A step that waits looks again after this, and after twice as long each time.
MOST_WAITING = 2_000
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 5.0
# Counting goes on beside the steps, a little in each.
COUNT_SECONDS = 0.02


def step_job(replay_id: str, webhook_id: str, step: int, at: datetime | None = None) -> NewJob:
    """
    In the queue of deliveries, since whoever serves those is there; without their key, so that no backlog of theirs
    stands before it: a claim gives each key its turn.
    """
    return NewJob(REPLAY_STEP, {"replay": replay_id, "webhook": webhook_id, "step": step}, scheduled_at=at)


class ReplayStep:
    """The job kind `webhooks.replay`; its payload is `{"replay": "rpl_…", "webhook": "wh_…", "step": 7}`."""

    def __init__(self, database: Database, store: ReplayStore, jobs: JobQueue) -> None:
        self._database = database
        self._store = store
        self._jobs = jobs
        self._hand_over = HandOver(jobs)

    def kind(self) -> JobKind:
        return JobKind(
            REPLAY_STEP,
            queue=QUEUE,
            perform=self.perform,
            record=self.record,
            discarded=self.discarded,
            revived=self.revived,
        )

    async def perform(self, job: Job, _: Any) -> None:
        """
        The cursor, the counts, the deliveries and the next step's job are committed together, or not at all; a step
        that is done already, by a worker that died before it could say so, finds that it is.
        """
        id, webhook_id, step = job.payload["replay"], job.payload["webhook"], job.payload["step"]
        async with self._database.transaction() as tx:
            # The endpoint before its replay: the order in which deleting it locks them.
            listener = await self._store.hold_listener(tx, webhook_id)
            progress = await self._store.lock_progress(tx, id, step)
            if listener is None or progress is None:
                return
            at = await self._step(tx, id, progress, listener)
            if at is not None:
                await self._jobs.enqueue(tx, [step_job(id, webhook_id, step + 1, at)])

    async def _step(
        self, tx: Transaction, id: str, progress: ReplayProgress, listener: ReplayTarget
    ) -> datetime | None:
        """Returns when the next step is due; None after the last."""
        now = utc_now()
        batch = min(PACED_BATCH, progress.per_second) if progress.per_second else BATCH
        tally = await count(tx, progress.range, listener, progress.tally, COUNT_SECONDS)
        if await self._hand_over.waiting(tx, progress.range.webhook_id, MOST_WAITING) > MOST_WAITING - batch:
            waited = msgspec.structs.replace(progress, tally=tally, waits=progress.waits + 1)
            await self._store.advance(tx, id, waited, 0, 0, "running")
            wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(progress.waits, 10))
            return now + timedelta(seconds=wait)
        sight = await look(tx, progress.range, listener, progress.cursor, batch)
        times = spread(len(sight.found), now, progress.per_second)
        replayed = await self._hand_over.hand_over(tx, progress.range, listener, sight.found, times)
        moved = msgspec.structs.replace(progress, cursor=sight.cursor, tally=tally, waits=0)
        status: ReplayStatus = "completed" if sight.is_last else "running"
        await self._store.advance(tx, id, moved, replayed, len(sight.found) - replayed, status)
        if sight.is_last:
            log.info("replay.completed", replay=id, webhook=progress.range.webhook_id)
            return None
        return now + timedelta(seconds=replayed / progress.per_second if progress.per_second else 0.0)

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        for each in finished:
            if each.outcome.verdict == "dead":
                payload = each.job.payload
                error = each.outcome.error or "its job is dead"
                log.error("replay.stopped", replay=payload["replay"], error=error)
                await self._store.stop(tx, payload["replay"], payload["step"], error)

    async def discarded(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        for payload in payloads:
            await self._store.stop(tx, payload["replay"], payload["step"], "its job was discarded")

    async def revived(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        for payload in payloads:
            await self._store.go_on(tx, payload["replay"], payload["step"])
