"""Turns found events into deliveries, reopened or new, and their jobs with the priority of replays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from ogel.features.webhooks.deliveries.job import QUEUE, delivery_job, order_key
from ogel.features.webhooks.replays.replay import FoundEvent, Range, ReplayTarget
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.jobs.job import REPLAY, NewJob, job_id_of
from ogel.runtime.jobs.store import JobQueue

_SQL = Queries.beside(__name__)


class HandOver:
    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    async def waiting(self, tx: Transaction, webhook_id: str, limit: int) -> int:
        """
        Jobs that are due for the endpoint and wait for a worker; never more than `limit`. What waits for its next
        attempt does not count: a receiver that refuses a few events for days must not hold up the others.
        """
        return await self._jobs.count_due(tx, QUEUE, webhook_id, limit)

    async def hand_over(
        self,
        tx: Transaction,
        range: Range,
        listener: ReplayTarget,
        found: Sequence[FoundEvent],
        times: Sequence[datetime | None],
    ) -> int:
        """
        Each delivery is sent at its time (None: now), under its original id. Returns how many; those under way already
        are left alone.
        """
        made = await self._make_missing(tx, range, [each for each in found if each.delivery_id is None])
        jobs, again = [], []
        for each, at in zip(found, times, strict=True):
            id = each.delivery_id or made.get(each.event_id)
            if id is None or each.is_pending:
                continue
            if each.delivery_id:
                again.append(id)
            jobs.append(_job(id, range.webhook_id, order_key(listener.ordered_by, each.subject), at))
        # Jobs first, deliveries after them: the order in which workers lock them.
        # A failed delivery's job is kept as dead; its successor, of the same id, takes its place.
        await self._jobs.drop_dead(tx, [job_id_of(id) for id in again])
        written = set(await self._jobs.enqueue(tx, jobs))
        opened = [id for id in again if job_id_of(id) in written]
        parameters = {"ids": opened, "delivered_too": range.only == "all"}
        return len(made) + await tx.execute(_SQL.reopen, parameters)

    async def _make_missing(
        self, tx: Transaction, range: Range, missing: Sequence[FoundEvent]
    ) -> dict[str, str]:
        """Returns delivery ids by event id."""
        if not missing:
            return {}
        ids = {new_id("dlv"): each.event_id for each in missing}
        rows = records([{"id": id, "event_id": event_id} for id, event_id in ids.items()])
        parameters = {"webhook_id": range.webhook_id, "rows": rows}
        return {ids[id]: id for (id,) in await tx.tuples(_SQL.insert_missing, parameters)}


def spread(count: int, begin: datetime, per_second: int | None) -> Sequence[datetime | None]:
    """Spreads the times evenly, so that a rate does not become a burst each second."""
    if per_second is None:
        return [None] * count
    return [begin + timedelta(seconds=place / per_second) for place in range(count)]


def _job(delivery_id: str, webhook_id: str, order: str, at: datetime | None) -> NewJob:
    job = delivery_job(delivery_id, webhook_id, order_key=order, priority=REPLAY)
    return msgspec.structs.replace(job, scheduled_at=at)
