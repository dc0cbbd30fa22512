"""Publishing, gathered: requests that come while a transaction is under way share the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry, Counter

from ogel.features.audit.contract import AuditEntry, AuditTrail
from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.kernel.principal import Caller
from ogel.runtime.database import Database, DatabaseAway
from ogel.runtime.outbox import Outbox

log = structlog.get_logger(__name__)

# A transaction costs far more than an event in it, so under load there is at most one in this time; a request
# that finds the publisher idle does not wait.
SPACING_SECONDS = 0.010
MOST_BYTES = 4 * 1024 * 1024
MOST_BYTES_WAITING = 64 * 1024 * 1024
# What an event weighs beside its data, so that empty ones are bounded, too.
_EVENT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class _Request:
    caller: Caller
    events: Sequence[Event]
    answer: asyncio.Future[Mapping[str, int]]

    @property
    def size(self) -> int:
        return sum(len(event.data) + _EVENT_BYTES for event in self.events)


class Publisher:
    """One transaction at a time per process; each request is committed whole, or fails, before it is answered."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        audit: AuditTrail,
        admit: Callable[[], None],
        registry: CollectorRegistry,
    ) -> None:
        """`admit` raises while a queue that events go to holds too much."""
        self._database = database
        self._outbox = outbox
        self._audit = audit
        self._admit = admit
        self._waiting: deque[_Request] = deque()
        self._waiting_bytes = 0
        self._working: asyncio.Task[None] | None = None
        self._events = Counter(
            "ogel_events_published_total",
            "Events by whether their id was new, or seen before and published no second time.",
            ["id"],
            registry=registry,
        )

    async def publish(self, caller: Caller, events: Sequence[Event]) -> Mapping[str, int]:
        """Deliveries by event id. Raises Unavailable when too many wait already, here or in a queue."""
        self._admit()
        request = _Request(caller, events, asyncio.get_running_loop().create_future())
        if self._waiting_bytes + request.size > MOST_BYTES_WAITING:
            raise Unavailable("Too many events are waiting to be written.", retry_after_seconds=1)
        self._waiting.append(request)
        self._waiting_bytes += request.size
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await request.answer

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            began = loop.time()
            await self._write(self._next())
            if self._waiting:
                await asyncio.sleep(max(0.0, SPACING_SECONDS - (loop.time() - began)))

    def _next(self) -> list[_Request]:
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and size + self._waiting[0].size <= MOST_BYTES:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        self._waiting_bytes -= size
        return batch

    async def _write(self, batch: Sequence[_Request]) -> None:
        try:
            deliveries = await self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer
            if len(batch) == 1 or isinstance(error, DatabaseAway):
                for request in batch:
                    _answer(request, error)
                return
            # Nobody fails for what someone else sent.
            log.warning("publish.batch_failed", requests=len(batch), error=f"{type(error).__name__}: {error}")
            for request in batch:
                await self._write([request])
            return
        for request in batch:
            _answer(request, {event.id: deliveries[event.id] for event in request.events})

    async def _commit(self, batch: Sequence[_Request]) -> Mapping[str, int]:
        async with self._database.transaction() as tx:
            publication = await self._outbox.publish(
                tx, [event for request in batch for event in request.events]
            )
            new = set(publication.new_ids)
            entries = []
            for request in batch:
                # Of one id in two requests, or twice in one, the first published it.
                mine = dict.fromkeys(event.id for event in request.events if event.id in new)
                new.difference_update(mine)
                entries += [AuditEntry(request.caller, "event.publish", "event", id) for id in mine]
            await self._audit.record_all(tx, entries)
        self._events.labels("new").inc(len(entries))
        self._events.labels("seen").inc(sum(len(request.events) for request in batch) - len(entries))
        return publication.deliveries


def _answer(request: _Request, answer: Mapping[str, int] | Exception) -> None:
    if request.answer.done():  # its client has gone; what it published stays published
        return
    if isinstance(answer, Exception):
        request.answer.set_exception(answer)
    else:
        request.answer.set_result(answer)
