"""Fan-out: for each new event, one delivery and one job per endpoint that wants it, in the publisher's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ogel.features.webhooks.delivery import NewDelivery
from ogel.features.webhooks.jobs import DELIVER
from ogel.features.webhooks.store import WebhookStore
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database import Session
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Subscriber


class FanOut:
    def __init__(self, store: WebhookStore, jobs: JobQueue) -> None:
        self._store = store
        self._jobs = jobs

    async def to_matching(self, tx: Session, events: Sequence[Event]) -> Mapping[str, int]:
        """The outbox subscriber."""
        matches = await self._store.match(tx, events)
        await self._deliver(tx, matches)
        return Counter(event_id for event_id, *_ in matches)

    def to_endpoint(self, webhook_id: str, max_in_flight: int) -> Subscriber:
        """A subscriber that delivers to this one endpoint, whatever it listens to."""

        async def subscriber(tx: Session, events: Sequence[Event]) -> Mapping[str, int]:
            await self._deliver(tx, [(event.id, webhook_id, "enabled", max_in_flight) for event in events])
            return {event.id: 1 for event in events}

        return subscriber

    async def _deliver(self, tx: Session, matches: Sequence[tuple[str, str, str, int]]) -> None:
        if not matches:
            return
        ids = [new_id("dlv") for _ in matches]
        new = [
            NewDelivery(id, event_id, webhook_id)
            for id, (event_id, webhook_id, *_) in zip(ids, matches, strict=True)
        ]
        await self._store.insert_deliveries(tx, new)
        await self._jobs.enqueue(
            tx,
            [
                delivery_job(id, webhook_id, max_in_flight, held=state == "paused")
                for id, (_, webhook_id, state, max_in_flight) in zip(ids, matches, strict=True)
            ],
        )


def delivery_job(delivery_id: str, webhook_id: str, max_in_flight: int, *, held: bool = False) -> NewJob:
    """A delivery has one job, whose id follows from its own: it can be found, and not exist twice."""
    return NewJob(
        DELIVER,
        {"delivery": delivery_id},
        key=webhook_id,
        key_limit=max_in_flight,
        held=held,
        id=job_id_of(delivery_id),
    )


def job_id_of(delivery_id: str) -> str:
    return "job_" + delivery_id.removeprefix("dlv_")
