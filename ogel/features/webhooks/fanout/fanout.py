"""Makes one delivery and one job per new event and endpoint that gets it, in the event's transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from ogel.features.webhooks.deliveries.job import delivery_job, order_key
from ogel.features.webhooks.fanout.document import Document
from ogel.features.webhooks.fanout.filter import fits
from ogel.features.webhooks.fanout.store import FanOutStore, ListeningEndpoint, NewDelivery
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Transaction
from ogel.runtime.database.pieces import Piece
from ogel.runtime.outbox import MOST_ROWS, Consequences, JobOf, Part, Subscriber

# The event loop gets a turn after this many filters, because only they compute for long.
_FILTERS_PER_TURN = 500


class FanOut:
    def __init__(self, store: FanOutStore) -> None:
        self._store = store

    async def to_matching(self, tx: Transaction, events: Sequence[Event]) -> Consequences:
        """The subscriber of the outbox."""
        types = list(dict.fromkeys(event.type for event in events))
        listeners = await self._store.listeners(tx, types)
        return _Deliveries(self._store, await _chosen(events, listeners))

    def to_endpoint(self, webhook_id: str) -> Subscriber:
        """
        Returns a subscriber that delivers to this one endpoint, whatever it listens to; the caller has locked it.
        """

        async def subscriber(_: Transaction, events: Sequence[Event]) -> Consequences:
            only = [ListeningEndpoint(webhook_id)]
            return _Deliveries(self._store, [(event, only) for event in events], is_locked=True)

        return subscriber


async def _chosen(
    events: Sequence[Event], listeners: Mapping[str, Sequence[ListeningEndpoint]]
) -> list[tuple[Event, Sequence[ListeningEndpoint]]]:
    """
    Of the endpoints that listen to an event's type, selects those whose filter matches. Without filters no data is
    decoded.
    """
    chosen: list[tuple[Event, Sequence[ListeningEndpoint]]] = []
    asked = 0
    for event in events:
        hearing = listeners.get(event.type, ())
        if any(listener.filter is not None for listener in hearing):
            document, fitting = Document(event), []
            for listener in hearing:
                asked += 1
                if asked % _FILTERS_PER_TURN == 0:
                    await asyncio.sleep(0)
                if fits(listener.filter, document):
                    fitting.append(listener)
            hearing = fitting
        if hearing:
            chosen.append((event, hearing))
    return chosen


class _Deliveries(Consequences):
    """`chosen` has events and the endpoints that get them; events with the same endpoints share one list."""

    def __init__(
        self,
        store: FanOutStore,
        chosen: Sequence[tuple[Event, Sequence[ListeningEndpoint]]],
        *,
        is_locked: bool = False,
    ) -> None:
        self._store = store
        self._chosen = chosen
        self._is_locked = is_locked

    def deliveries(self) -> Mapping[str, int]:
        return {event.id: len(listeners) for event, listeners in self._chosen}

    @property
    def rows(self) -> int:
        return sum(len(listeners) for _, listeners in self._chosen)

    def condition(self) -> Sequence[Piece]:
        if self._is_locked or not self._chosen:
            return ()
        lists = {id(listeners): listeners for _, listeners in self._chosen}.values()
        return self._store.still_listening({each.webhook_id for listeners in lists for each in listeners})

    def parts(self) -> Iterator[Part]:
        """Generates ids one part at a time, so that nothing else is kept in memory per delivery."""
        pairs = self._pairs()
        while some := list(islice(pairs, MOST_ROWS)):
            yield _part(self._store, some)

    def _pairs(self) -> Iterator[tuple[Event, ListeningEndpoint]]:
        return ((event, listener) for event, listeners in self._chosen for listener in listeners)


def _part(store: FanOutStore, pairs: Iterable[tuple[Event, ListeningEndpoint]]) -> Part:
    rows, jobs = [], []
    for event, listener in pairs:
        id = new_id("dlv")
        rows.append(NewDelivery(id, event.id, listener.webhook_id))
        order = order_key(listener.ordered_by, event.subject)
        jobs.append(JobOf(event.id, delivery_job(id, listener.webhook_id, order_key=order)))
    return Part([store.inserted(rows)], jobs)
