"""Group commit for publishing: requests that arrive while others are being written share the next transaction."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter

from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditEntry, AuditTrail
from ogel.runtime.database.database import Database, DatabaseAway, Queries
from ogel.runtime.database.faults import DatabaseLocked
from ogel.runtime.database.pieces import Piece
from ogel.runtime.outbox import Outbox, Publication

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)

# Transactions under way at once, of those that are one statement: with two, each has less company, and together they
# write less (docs/decisions/0034). One more may be under way that takes several.
SLOTS = 1
MOST_BYTES = 4 * 1024 * 1024
MOST_BYTES_WAITING = 64 * 1024 * 1024
# Added to the size of an event's data, so that the number of small events is bounded, too.
_EVENT_BYTES = 1024


class _Request(Struct, frozen=True):
    caller: Caller
    events: Sequence[Event]
    answer: asyncio.Future[Mapping[str, int]]

    @property
    def size(self) -> int:
        return sum(len(event.data) + _EVENT_BYTES for event in self.events)


class Publisher:
    """
    Each request is committed or fails as a whole before it is answered. A request that finds a free slot is written at
    once; those that arrive while no slot is free share the next transaction. A request with many deliveries has its
    own transaction, written in steps beside the others, so that only the next request of its kind waits for it, and
    requests that repeat one of its ids.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        audit: AuditTrail,
        admit: Callable[[], None],
        registry: CollectorRegistry,
    ) -> None:
        """`admit` raises while a queue that events go to is too full."""
        self._database = database
        self._outbox = outbox
        self._audit = audit
        self._admit = admit
        self._waiting: deque[_Request] = deque()
        self._large: deque[_Request] = deque()
        # Of the requests there: who writes such an id meanwhile is made to wait by the database, slot and all.
        self._ids_of_large: Tally[str] = Tally()
        # The size of all requests that are not answered yet.
        self._bytes = 0
        self._working: list[asyncio.Task[None]] = []
        self._working_on_large: asyncio.Task[None] | None = None
        self._events = Counter(
            "ogel_events_published_total",
            "Events by whether their id was new, or seen before and published no second time.",
            ["id"],
            registry=registry,
        )

    async def publish(self, caller: Caller, events: Sequence[Event]) -> Mapping[str, int]:
        """
        Returns the number of deliveries by event id. Raises Unavailable when too many requests wait here, or jobs in a
        queue.
        """
        self._admit()
        request = _Request(caller, events, asyncio.get_running_loop().create_future())
        if self._bytes + request.size > MOST_BYTES_WAITING:
            raise Unavailable("Too many events are waiting to be written.", retry_after_seconds=1)
        self._bytes += request.size
        self._waiting.append(request)
        # One that is done took no notice of this request, even if nobody was told of its end yet.
        self._working = [task for task in self._working if not task.done()]
        if len(self._working) < SLOTS:
            self._working.append(asyncio.create_task(self._work()))
        return await request.answer

    async def _work(self) -> None:
        while self._waiting:
            await self._write(self._next())

    def _next(self) -> list[_Request]:
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and size + self._waiting[0].size <= MOST_BYTES:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        return batch

    def _put_with_large(self, request: _Request) -> None:
        self._large.append(request)
        self._ids_of_large.update(event.id for event in request.events)
        if self._working_on_large is None or self._working_on_large.done():
            self._working_on_large = asyncio.create_task(self._work_on_large())

    def _repeats_large(self, request: _Request) -> bool:
        return bool(self._ids_of_large) and any(event.id in self._ids_of_large for event in request.events)

    async def _work_on_large(self) -> None:
        while self._large:
            request = self._large.popleft()
            try:
                async with self._database.transaction() as tx:
                    publication = await self._outbox.publish(
                        tx, request.events, more=[self._audited([request])]
                    )
                self._count([request], publication)
            except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer
                self._answer(request, error)
            else:
                self._answer(request, publication.deliveries)
            self._ids_of_large -= Tally(event.id for event in request.events)

    async def _write(self, wanted: Sequence[_Request]) -> None:
        batch = []
        for request in wanted:
            if self._repeats_large(request):
                self._put_with_large(request)
            else:
                batch.append(request)
        if not batch:
            return
        try:
            publication = await self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer
            if len(batch) > 1 and isinstance(error, DatabaseLocked):
                for request in batch:
                    await self._write_unless_locked(request)
                return
            if len(batch) == 1 or isinstance(error, DatabaseAway):
                for request in batch:
                    self._answer(request, error)
                return
            # No request fails because of another one in its batch.
            log.warning("publish.batch_failed", requests=len(batch), error=f"{type(error).__name__}: {error}")
            for request in batch:
                await self._write([request])
            return
        if publication is not None:
            self._count(batch, publication)
            for request in batch:
                self._answer(request, publication.deliveries)
        elif len(batch) > 1:
            half = len(batch) // 2
            for some in (batch[:half], batch[half:]):
                await self._write(some)
        else:
            self._put_with_large(batch[0])

    async def _write_unless_locked(self, request: _Request) -> None:
        """
        Another process may be writing an id of this batch and hold its lock for long. Which id cannot be asked for,
        only tried; the request that has to wait does so beside the others.
        """
        try:
            async with self._database.transaction() as tx:
                await tx.execute(_SQL.wait_briefly)
                publication = await self._outbox.publish_at_once(
                    tx, request.events, [self._audited([request])]
                )
        except DatabaseLocked:
            publication = None
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer
            self._answer(request, error)
            return
        if publication is None:
            self._put_with_large(request)
        else:
            self._count([request], publication)
            self._answer(request, publication.deliveries)

    async def _commit(self, batch: Sequence[_Request]) -> Publication | None:
        """
        Writes everything in one statement, which needs no explicit transaction. Returns None when that would be too
        large.
        """
        events = [event for request in batch for event in request.events]
        async with self._database.autocommit() as tx:
            return await self._outbox.publish_at_once(tx, events, [self._audited(batch)])

    def _audited(self, batch: Sequence[_Request]) -> Piece:
        # When an id occurs twice, in one request or in two, the first occurrence published it.
        callers: dict[str, Caller] = {}
        for request in batch:
            for event in request.events:
                callers.setdefault(event.id, request.caller)
        entries = [AuditEntry(caller, "event.publish", "event", id) for id, caller in callers.items()]
        return self._audit.of_published(entries)

    def _count(self, batch: Sequence[_Request], publication: Publication) -> None:
        new = len(publication.new_ids)
        self._events.labels("new").inc(new)
        self._events.labels("seen").inc(sum(len(request.events) for request in batch) - new)

    def _answer(self, request: _Request, answer: Mapping[str, int] | Exception) -> None:
        self._bytes -= request.size
        if request.answer.done():  # its client has disconnected; the events stay published
            return
        if isinstance(answer, Exception):
            request.answer.set_exception(answer)
        else:
            request.answer.set_result({event.id: answer[event.id] for event in request.events})
