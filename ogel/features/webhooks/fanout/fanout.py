"""Fan-out: for each new event, one delivery and one job per endpoint that wants it, in the publisher's transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from ogel.features.webhooks.deliveries.job import delivery_job, order_key
from ogel.features.webhooks.fanout.document import Document
from ogel.features.webhooks.fanout.filter import fits
from ogel.features.webhooks.fanout.store import FanOutStore, Match, NewDelivery
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database import Session
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.outbox import Consequences, Subscriber

# The event loop gets a turn after so many filters, which are the only long computation here.
_FILTERS_PER_TURN = 500


class FanOut:
    def __init__(self, store: FanOutStore) -> None:
        self._store = store

    async def to_matching(self, tx: Session, events: Sequence[Event]) -> Consequences:
        """The outbox subscriber."""
        return _Deliveries(self._store, await _chosen(await self._store.match(tx, events), events))

    def to_endpoint(self, webhook_id: str) -> Subscriber:
        """A subscriber that delivers to this one endpoint, whatever it listens to."""

        async def subscriber(tx: Session, events: Sequence[Event]) -> Consequences:
            return _Deliveries(self._store, [Match(event.id, webhook_id) for event in events])

        return subscriber


async def _chosen(matches: Sequence[Match], events: Sequence[Event]) -> Sequence[Match]:
    """Those whose filter the event fits; most endpoints have none, and then nothing is read."""
    if all(match.filter is None for match in matches):
        return matches
    documents = {event.id: Document(event) for event in events}
    chosen = []
    for n, match in enumerate(matches, 1):
        if fits(match.filter, documents[match.event_id]):
            chosen.append(match)
        if n % _FILTERS_PER_TURN == 0:
            await asyncio.sleep(0)
    return chosen


class _Deliveries(Consequences):
    def __init__(self, store: FanOutStore, matches: Sequence[Match]) -> None:
        self._store = store
        self._matches = [(new_id("dlv"), match) for match in matches]

    def deliveries(self) -> Mapping[str, int]:
        return Counter(match.event_id for _, match in self._matches)

    def jobs(self, new: Sequence[Event]) -> Sequence[NewJob]:
        subjects = {event.id: event.subject for event in new}
        return [
            delivery_job(
                id, match.webhook_id, order_key=order_key(match.ordered_by, subjects[match.event_id])
            )
            for id, match in self._of(new)
        ]

    async def write(self, tx: Session, new: Sequence[Event]) -> None:
        rows = [NewDelivery(id, match.event_id, match.webhook_id) for id, match in self._of(new)]
        if rows:
            await self._store.insert_deliveries(tx, rows)

    def _of(self, new: Sequence[Event]) -> list[tuple[str, Match]]:
        ids = {event.id for event in new}
        return [(id, match) for id, match in self._matches if match.event_id in ids]
