"""The outbox: an event is written together with everything it must cause, or not at all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from msgspec import Struct

from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.database.pieces import Piece, together
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.store import JobQueue

_SQL = Queries.beside(__name__)

# The relation that `{events}` in queries of features stands for: the events being published, with these columns.
EVENTS = b"(SELECT id, type, subject, data, created_at FROM events)"

# Limits the rows that one statement writes: it is built on the event loop, where others wait.
MOST_ROWS = 500
# How often consequences may turn out to be out of date before publishing gives up.
_TRIES = 5


class JobOf(NamedTuple):
    """A job and the event that causes it."""

    event_id: str
    job: NewJob


class Part(NamedTuple):
    """The part of the consequences that one statement writes: at most MOST_ROWS jobs, and as many other rows."""

    pieces: Sequence[Piece] = ()
    jobs: Sequence[JobOf] = ()


NOTHING = Part()
# What pieces report: a queue got jobs; the consequences are out of date; an event is new.
QUEUE, TAKEN, OUT_OF_DATE, EVENT = "queue", "taken", "out of date", "event"


class Consequences:
    """
    What a subscriber writes for some events, in the statement that writes them or, if it is much, in several. Each of
    them sees the ids of the new events as `published (id)`. Events that were published before have no consequences.
    """

    def deliveries(self) -> Mapping[str, int]:
        """Returns how many endpoints get each event, by event id; events with none are left out."""
        return {}

    @property
    def rows(self) -> int:
        """Returns how many rows all `parts` have together, besides the jobs."""
        return 0

    def condition(self) -> Sequence[Piece]:
        """
        Pieces, the last of which has one row, `holds`. If that is false, OUT_OF_DATE is reported and nothing is
        written.
        """
        return ()

    def parts(self) -> Iterator[Part]:
        return iter(())

    def at_last(self) -> Sequence[Piece]:
        """Returns pieces for the last statement."""
        return ()


# Called before the events are written. It must lock nothing, as it may run in another transaction than the writing.
Subscriber = Callable[[Transaction, Sequence[Event]], Awaitable[Consequences]]


class Publication(Struct, frozen=True):
    """
    The ids that were new, and the number of deliveries by event id for new and known events alike. `said` is by its
    word what the pieces said that the caller added.
    """

    new_ids: Sequence[str]
    deliveries: Mapping[str, int]
    said: Mapping[str, Collection[str]] = {}


class Outbox:
    """Writes events, and what every subscriber makes of them."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._subscribers: list[Subscriber] = []
        # The queues that subscribers write to.
        self.queues: list[str] = []

    def subscribe(self, subscribers: Mapping[str, Subscriber]) -> None:
        """Adds a subscriber by the queue of its jobs. Called by the composition root, before anything is published."""
        self._subscribers.extend(subscribers.values())
        self.queues.extend(subscribers)

    async def publish(
        self,
        tx: Transaction,
        events: Sequence[Event],
        to: Sequence[Subscriber] | None = None,
        more: Sequence[Piece] = (),
    ) -> Publication:
        """
        Publishes in the caller's transaction to every subscriber, or only to those named in `to`. An id that was
        published before, by anyone and however long ago, causes nothing new and gets the same result as then. If
        `events` contains an id twice, the first counts. `more` is added to the statement that writes the events.
        """
        publication = await self._publish(tx, events, self._subscribers if to is None else to, more)
        assert publication is not None
        return publication

    async def publish_at_once(
        self, tx: Transaction, events: Sequence[Event], more: Sequence[Piece] = ()
    ) -> Publication | None:
        """
        As `publish`, in one statement, which needs no transaction. Returns None, with nothing written, when one
        statement would be too large.
        """
        return await self._publish(tx, events, self._subscribers, more, at_once=True)

    async def _publish(
        self,
        tx: Transaction,
        events: Sequence[Event],
        to: Sequence[Subscriber],
        more: Sequence[Piece],
        *,
        at_once: bool = False,
    ) -> Publication | None:
        unique = {event.id: event for event in reversed(events)}
        wanted = list(reversed(unique.values()))
        if not wanted:
            return Publication([], {})
        for _ in range(_TRIES):
            consequences = [await subscriber(tx, wanted) for subscriber in to]
            if at_once and sum(-(-each.rows // MOST_ROWS) for each in consequences) > 1:
                return None
            if (publication := await self._write(tx, wanted, consequences, more)) is not None:
                return publication
        raise Unavailable("Who hears these events changes all the time.", retry_after_seconds=1)

    async def _write(
        self,
        tx: Transaction,
        events: Sequence[Event],
        consequences: Sequence[Consequences],
        more: Sequence[Piece],
    ) -> Publication | None:
        """Returns None when the consequences are out of date; then nothing was written."""
        deliveries = Counter({event.id: 0 for event in events})
        for each in consequences:
            deliveries.update(each.deliveries())
        parts = chain.from_iterable(each.parts() for each in consequences)
        last = [piece for each in consequences for piece in each.at_last()]
        conditions = [condition for each in consequences if (condition := each.condition())]
        pieces = [
            *chain.from_iterable(conditions),
            _insert(events, deliveries, [condition[-1].name for condition in conditions]),
            *more,
        ]
        part, following = next(parts, NOTHING), next(parts, None)
        said = await self._execute(tx, pieces, part, last if following is None else ())
        if said[OUT_OF_DATE]:
            return None
        new = [event.id for event in events if event.id in said[EVENT]]
        published = _published(_SQL.published, {"published": new})
        while following is not None and new:
            part, following = following, next(parts, None)
            await self._execute(tx, [published], part, last if following is None else ())
        known = await self._known(tx, [event.id for event in events if event.id not in said[EVENT]])
        return Publication(new, {**deliveries, **known}, said)

    async def _execute(
        self, tx: Transaction, pieces: Sequence[Piece], part: Part, last: Sequence[Piece]
    ) -> Mapping[str, set[str]]:
        """Executes a statement and collects what its pieces report."""
        promises = self._jobs.promised([job for _, job in part.jobs])
        tx.at_end(promises.end)
        jobs = [self._jobs.enqueued(part.jobs, promises.places)] if part.jobs else []
        said: defaultdict[str, set[str]] = defaultdict(set)
        for word, about in await tx.tuples(*together([*pieces, *part.pieces, *jobs, *last])):
            said[word].add(about)
        promises.written = said[TAKEN]
        for queue in said[QUEUE]:
            tx.ring(queue)
        return said

    async def _known(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, int]:
        """Returns the former results of events that were published before."""
        return dict(await tx.tuples(_SQL.deliveries_of, {"ids": ids})) if ids else {}


def _insert(events: Sequence[Event], deliveries: Mapping[str, int], conditions: Sequence[str]) -> Piece:
    # Ordered by id, so that publishers of the same ids wait for each other instead of deadlocking.
    in_order = sorted(events, key=lambda event: event.id)
    rows = records([_row(event, deliveries[event.id]) for event in in_order])
    holding = b"".join(b"\n  AND (SELECT holds FROM %b)" % name.encode() for name in conditions)
    return _published(_SQL.insert_events % holding, {"events": rows})


def _published(sql: bytes, parameters: Mapping[str, object]) -> Piece:
    return Piece("published", sql, parameters, b"SELECT 'event', id FROM published")


def _row(event: Event, deliveries: int) -> dict[str, object]:
    return {
        "id": event.id,
        "type": event.type,
        "subject": event.subject,
        "data": event.data.decode(),
        "deliveries": deliveries,
        "created_at": event.created_at,
    }
