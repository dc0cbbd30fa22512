"""The outbox: an event is written together with everything it must cause, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ogel.kernel.event import Event
from ogel.runtime.database import Queries, Session, records
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.store import JobQueue

_SQL = Queries.beside(__name__)


class Consequences:
    """What a subscriber makes of some events. The outbox asks again for those of them that turn out to be new."""

    def deliveries(self) -> Mapping[str, int]:
        """How many endpoints get each event, by event id; none for events left out."""
        return {}

    def jobs(self, new: Sequence[Event]) -> Sequence[NewJob]:
        return ()

    async def write(self, tx: Session, new: Sequence[Event]) -> None:
        """Rows beside the jobs; the events stand in the database already."""


# Asked before the events are written, inside their transaction.
Subscriber = Callable[[Session, Sequence[Event]], Awaitable[Consequences]]


@dataclass(frozen=True, slots=True)
class Publication:
    """Ids that were new, and deliveries by event id for new and known ones alike."""

    new_ids: Sequence[str]
    deliveries: Mapping[str, int]


class Outbox:
    """Writes events, and what every subscriber makes of them, in the caller's transaction."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
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
        wanted = list(reversed(unique.values()))
        subscribers = self._subscribers if to is None else to
        consequences = [await subscriber(tx, wanted) for subscriber in subscribers]
        deliveries = Counter({event.id: 0 for event in wanted})
        for each in consequences:
            deliveries.update(each.deliveries())
        # In the order of their ids: publishers of the same ids then wait for each other instead of deadlocking.
        rows = [_row(unique[id], deliveries[id]) for id in sorted(unique)]
        written = {id for (id,) in await tx.tuples(_SQL.insert_events, {"rows": records(rows)})}
        new = [event for event in wanted if event.id in written]
        for each in consequences:
            await each.write(tx, new)
        await self._jobs.enqueue(tx, [job for each in consequences for job in each.jobs(new)])
        return Publication(
            [event.id for event in new], {**deliveries, **await self._known(tx, wanted, written)}
        )

    async def _known(self, tx: Session, wanted: Sequence[Event], written: set[str]) -> Mapping[str, int]:
        """What events that were published before answered then."""
        ids = [event.id for event in wanted if event.id not in written]
        if not ids:
            return {}
        return {row[0]: row[1] for row in await tx.tuples(_SQL.deliveries_of, {"ids": ids})}


def _row(event: Event, deliveries: int) -> dict[str, object]:
    return {
        "id": event.id,
        "type": event.type,
        "subject": event.subject,
        "data": event.data.decode(),
        "deliveries": deliveries,
        "created_at": event.created_at,
    }
