"""The outbox: an event is written together with everything it must cause, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ogel.kernel.event import Event
from ogel.runtime.database import Queries, Session, records

_SQL = Queries.beside(__name__)

# Called with the new events of one transaction. Returns how many deliveries it made, by event id.
Subscriber = Callable[[Session, Sequence[Event]], Awaitable[Mapping[str, int]]]


@dataclass(frozen=True, slots=True)
class Publication:
    """Ids that were new, and deliveries by event id for new and known ones alike."""

    new_ids: Sequence[str]
    deliveries: Mapping[str, int]


class Outbox:
    """Writes events and hands them to every subscriber inside the caller's transaction."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscribers: Sequence[Subscriber]) -> None:
        """Called once, by the composition root, before anything is published."""
        self._subscribers.extend(subscribers)

    async def publish(
        self, tx: Session, events: Sequence[Event], to: Sequence[Subscriber] | None = None
    ) -> Publication:
        """
        To every subscriber, or only to those named in `to`. An id that was published before, by anyone and however
        long ago, causes nothing new and answers what it answered then. Of an id twice in `events`, the first counts.
        """
        unique = {event.id: event for event in reversed(events)}
        rows = [
            {
                "id": e.id,
                "type": e.type,
                "subject": e.subject,
                "data": e.data.decode(),
                "created_at": e.created_at,
            }
            for e in reversed(unique.values())
        ]
        written = await tx.tuples(_SQL.insert_events, {"rows": records(rows)})
        new = [unique[id] for (id,) in written]
        deliveries = Counter({event.id: 0 for event in new})
        for subscriber in self._subscribers if to is None else to:
            if new:
                deliveries.update(await subscriber(tx, new))
        counted = [{"id": id, "deliveries": count} for id, count in deliveries.items() if count]
        if counted:
            await tx.execute(_SQL.count_deliveries, {"rows": records(counted)})
        new_ids = [event.id for event in new]
        known_ids = [id for id in unique if id not in deliveries]
        known = await tx.tuples(_SQL.deliveries_of, {"ids": known_ids}) if known_ids else []
        return Publication(new_ids, {**deliveries, **dict(known)})
