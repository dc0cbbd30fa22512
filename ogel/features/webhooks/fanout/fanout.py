"""Fan-out: for each new event, one delivery and one job per endpoint that wants it, in the publisher's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ogel.features.webhooks.deliveries.job import delivery_job
from ogel.features.webhooks.fanout.store import FanOutStore, Match, NewDelivery
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database import Session
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.outbox import Consequences, Subscriber


class FanOut:
    def __init__(self, store: FanOutStore) -> None:
        self._store = store

    async def to_matching(self, tx: Session, events: Sequence[Event]) -> Consequences:
        """The outbox subscriber."""
        return _Deliveries(self._store, await self._store.match(tx, events))

    def to_endpoint(self, webhook_id: str, max_in_flight: int) -> Subscriber:
        """A subscriber that delivers to this one endpoint, whatever it listens to."""

        async def subscriber(tx: Session, events: Sequence[Event]) -> Consequences:
            matches = [Match(event.id, webhook_id, "enabled", max_in_flight) for event in events]
            return _Deliveries(self._store, matches)

        return subscriber


class _Deliveries(Consequences):
    def __init__(self, store: FanOutStore, matches: Sequence[Match]) -> None:
        self._store = store
        self._matches = [(new_id("dlv"), match) for match in matches]

    def deliveries(self) -> Mapping[str, int]:
        return Counter(match.event_id for _, match in self._matches)

    def jobs(self, new: Sequence[Event]) -> Sequence[NewJob]:
        return [
            delivery_job(id, match.webhook_id, match.max_in_flight, held=match.state == "paused")
            for id, match in self._of(new)
        ]

    async def write(self, tx: Session, new: Sequence[Event]) -> None:
        rows = [NewDelivery(id, match.event_id, match.webhook_id) for id, match in self._of(new)]
        if rows:
            await self._store.insert_deliveries(tx, rows)

    def _of(self, new: Sequence[Event]) -> list[tuple[str, Match]]:
        ids = {event.id for event in new}
        return [(id, match) for id, match in self._matches if match.event_id in ids]
