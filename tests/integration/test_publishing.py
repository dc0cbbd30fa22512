"""How requests become transactions: at once when none is under way, shared when some are, and fair to the small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.store import AuditStore
from ogel.features.events import publisher
from ogel.features.events.publisher import SLOTS, Publisher
from ogel.features.webhooks.deliveries.job import DELIVER, QUEUE
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.features.webhooks.fanout.fanout import FanOut
from ogel.features.webhooks.fanout.store import FanOutStore
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event, glob_to_like
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.job import DONE, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import MOST_ROWS, Outbox

LIMIT_SECONDS = 30
CALLER = Caller(Principal("key", "key_publisher", frozenset({"events:write"})), "req_1")
Statements = list[bytes]


async def nothing(job: Job, _: object) -> Outcome:
    return DONE


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.url = ""
        self.rings: list[set[str]] = []
        queue = JobQueue()
        queue.know([JobKind(DELIVER, "webhooks", nothing)])
        self.outbox = Outbox(queue)
        self.fan_out = FanOut(FanOutStore())
        self.outbox.subscribe({QUEUE: self.fan_out.to_matching})
        self.publisher = Publisher(database, self.outbox, AuditStore(), lambda: None, CollectorRegistry())

    async def publish(self, *events: Event) -> dict[str, int]:
        return dict(await self.publisher.publish(CALLER, events))

    async def value(self, query: str) -> Any:
        async with self.database.autocommit() as tx:
            return await tx.value(query.encode())

    async def add_endpoints(self, count: int, glob: str = "order.*", filter: str | None = None) -> None:
        async with self.database.autocommit() as tx:
            await tx.execute(
                b"INSERT INTO webhook_endpoints"
                b" (id, url, event_globs, event_likes, filter, max_in_flight, timeout_seconds)"
                b" SELECT %(glob)s || n, 'http://receiver', ARRAY[%(glob)s], ARRAY[%(like)s], %(filter)s::json, 1, 1"
                b" FROM generate_series(1, %(count)s) AS n",
                {"glob": glob, "like": glob_to_like(glob), "count": count, "filter": filter},
            )


@asynccontextmanager
async def a_world(url: str) -> AsyncIterator[World]:
    rings: list[set[str]] = []
    async with asyncio.timeout(LIMIT_SECONDS), make_pool(url, PoolOptions(1, 5, 60.0, 5.0, 10)) as pool:
        world = World(Database(pool, rings.append))
        world.rings, world.url = rings, url
        yield world


def run(url: str, story: Callable[[World], Any]) -> None:
    async def told() -> None:
        async with a_world(url) as world:
            await story(world)

    asyncio.run(told())


def an_event(type: str = "order.created", id: str | None = None, data: bytes = b"{}") -> Event:
    return Event(id or new_id("evt"), type, data, None, utc_now())


@asynccontextmanager
async def told_statements() -> AsyncIterator[Statements]:
    """What is sent to the database from here on."""
    from psycopg import AsyncConnection, AsyncCursor

    statements: Statements = []
    execute = AsyncCursor.execute

    async def noting(self: Any, query: Any, *rest: Any, **named: Any) -> Any:
        statements.append(query)
        return await execute(self, query, *rest, **named)

    transaction = AsyncConnection.transaction

    def beginning(self: Any, *rest: Any, **named: Any) -> Any:
        statements.append(b"a transaction")
        return transaction(self, *rest, **named)

    with (
        mock.patch.object(AsyncCursor, "execute", noting),
        mock.patch.object(AsyncConnection, "transaction", beginning),
    ):
        yield statements


@pytest.mark.parametrize("filter", [None, '{"data.total": {"gt": 1}}'])
@pytest.mark.parametrize("events", [1, 100])
def test_publishing_takes_two_statements(database_url: str, filter: str | None, events: int) -> None:
    async def story(world: World) -> None:
        await world.add_endpoints(3, filter=filter)
        published = [an_event(data=b'{"total": 2}') for _ in range(events)]
        async with told_statements() as statements:
            assert set((await world.publish(*published)).values()) == {3}
        assert len(statements) == 2, statements
        for table in ("webhook_deliveries", "job_queue"):
            assert await world.value(f"SELECT count(*) FROM {table}") == 3 * events
        assert await world.value("SELECT count(*) FROM audit_logs WHERE actor = 'key_publisher'") == events
        assert world.rings == [{"webhooks"}]

    run(database_url, story)


def test_an_event_for_nobody_rings_nobody(database_url: str) -> None:
    async def story(world: World) -> None:
        event = an_event()
        assert await world.publish(event) == {event.id: 0}
        assert world.rings == []

    run(database_url, story)


@pytest.mark.parametrize("slots", [1, 2])
def test_who_publishes_as_soon_as_they_are_answered_is_never_forgotten(
    database_url: str, monkeypatch: pytest.MonkeyPatch, slots: int
) -> None:
    """At that moment the one who answered is at its end, and takes no more."""
    monkeypatch.setattr(publisher, "SLOTS", slots)

    async def story(world: World) -> None:
        async def publishing() -> None:
            for _ in range(20):
                await world.publish(an_event())

        await asyncio.gather(*(publishing() for _ in range(8)))
        assert await world.value("SELECT count(*) FROM events") == 160

    run(database_url, story)


class Gate:
    """Stands in for the fan-out: who publishes waits here, and the test says when they go on."""

    def __init__(self, world: World) -> None:
        self.arrived: asyncio.Queue[Sequence[Event]] = asyncio.Queue()
        self.open = asyncio.Semaphore(0)
        self._inner = world.fan_out.to_matching
        world.outbox._subscribers[:] = [self.pass_]

    async def pass_(self, tx: Transaction, events: Sequence[Event]) -> Any:
        self.arrived.put_nowait(events)
        await self.open.acquire()
        return await self._inner(tx, events)


def test_what_comes_while_no_slot_is_free_shares_the_next_transaction_at_once(database_url: str) -> None:
    async def story(world: World) -> None:
        gate, sleep = Gate(world), asyncio.sleep

        async def no_longer(seconds: float) -> None:
            assert seconds == 0, "nothing is waited for but the database"
            await sleep(seconds)

        first = [asyncio.create_task(world.publish(an_event()))]
        assert len(await gate.arrived.get()) == 1
        for _ in range(SLOTS - 1):
            first.append(asyncio.create_task(world.publish(an_event())))
            assert len(await gate.arrived.get()) == 1
        with mock.patch.object(asyncio, "sleep", no_longer):
            others = [asyncio.create_task(world.publish(an_event())) for _ in range(20)]
            while len(world.publisher._waiting) < len(others):
                await asyncio.sleep(0)
            gate.open.release()
            assert len(await gate.arrived.get()) == 20
            for _ in range(SLOTS):
                gate.open.release()
            await asyncio.gather(*first, *others)
        assert world.publisher._bytes == 0

    run(database_url, story)


def test_a_large_fan_out_is_written_in_steps_and_others_are_not_held_up(database_url: str) -> None:
    """While it is under way, small ones come and go."""

    async def story(world: World) -> None:
        endpoints, events = 60, 50
        await world.add_endpoints(endpoints)
        written, small = 0, 0
        execute = world.outbox._execute

        async def stepping(tx: Transaction, pieces: Any, part: Any, last: Any) -> Any:
            nonlocal written, small
            assert len(part.jobs) <= MOST_ROWS
            said = await execute(tx, pieces, part, last)
            if len(part.jobs) > 1 and tx is not None and not answer.done():
                written += len(part.jobs)
                other = an_event("quiet.type")
                assert await world.publish(other) == {other.id: 0}
                small += 1
            return said

        batch = [an_event() for _ in range(events)]
        with mock.patch.object(world.outbox, "_execute", stepping):
            answer = asyncio.create_task(world.publish(*batch))
            assert await answer == {event.id: endpoints for event in batch}
        assert written == endpoints * events
        assert small == -(-written // MOST_ROWS)
        for table in ("webhook_deliveries", "job_queue"):
            assert await world.value(f"SELECT count(*) FROM {table}") == endpoints * events
        assert await world.value("SELECT sum(deliveries) FROM events") == endpoints * events
        # Again: it answers the same, and writes nothing.
        assert await world.publish(*batch) == {event.id: endpoints for event in batch}
        assert await world.value("SELECT count(*) FROM webhook_deliveries") == endpoints * events

    run(database_url, story)


def test_a_large_fan_out_that_fails_half_way_leaves_nothing(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.add_endpoints(30)
        execute, steps = world.outbox._execute, 0

        async def failing(tx: Transaction, pieces: Any, part: Any, last: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == 3:
                raise ZeroDivisionError
            return await execute(tx, pieces, part, last)

        batch = [an_event() for _ in range(60)]
        with (
            mock.patch.object(world.outbox, "_execute", failing),
            pytest.raises(ZeroDivisionError),
        ):
            await world.publish(*batch)
        for table in ("events", "webhook_deliveries", "job_queue", "audit_logs"):
            assert await world.value(f"SELECT count(*) FROM {table}") == 0
        assert world.rings == []
        assert await world.publish(*batch) == {event.id: 30 for event in batch}

    run(database_url, story)


def test_who_repeats_a_large_request_waits_for_it_alone(database_url: str) -> None:
    """Clients that were not answered in time ask again with the same ids; nobody else shares their wait."""

    async def story(world: World) -> None:
        await world.add_endpoints(30)
        execute = world.outbox._execute
        half_way, go_on = asyncio.Event(), asyncio.Event()

        async def stopping(tx: Transaction, pieces: Any, part: Any, last: Any) -> Any:
            said = await execute(tx, pieces, part, last)
            if len(part.jobs) > 1 and not half_way.is_set():
                half_way.set()
                await go_on.wait()
            return said

        large = [an_event() for _ in range(60)]
        with mock.patch.object(world.outbox, "_execute", stopping):
            answers = [asyncio.create_task(world.publish(*large))]
            await half_way.wait()
            for _ in range(SLOTS):
                # One of its ids, beside one that is in no other request.
                answers.append(asyncio.create_task(world.publish(large[0], an_event("quiet.type"))))
            async with asyncio.timeout(2):  # less than the database lets anybody wait for a lock
                other = an_event("quiet.type")
                assert await world.publish(other) == {other.id: 0}
            assert not any(answer.done() for answer in answers)
            go_on.set()
            for answer in await asyncio.gather(*answers):
                assert answer[large[0].id] == 30
        assert not world.publisher._ids_of_large
        assert await world.publish(large[0]) == {large[0].id: 30}
        assert await world.value("SELECT count(*) FROM webhook_deliveries") == 60 * 30

    run(database_url, story)


def test_who_repeats_what_another_process_is_writing_waits_for_it_alone(database_url: str) -> None:
    async def story(world: World) -> None:
        gate = Gate(world)
        first = asyncio.create_task(world.publish(an_event()))
        await gate.arrived.get()
        repeated, others = an_event(), [an_event() for _ in range(3)]
        asked = [asyncio.create_task(world.publish(event)) for event in (others[0], repeated, *others[1:])]
        while len(world.publisher._waiting) < len(asked):
            await asyncio.sleep(0)
        async with make_pool(world.url, PoolOptions(1, 1, 60.0, 5.0, 10)) as pool:
            another = Database(pool, lambda _: None)
            async with another.transaction() as tx:
                await world.outbox.publish(tx, [repeated], to=[])
                for _ in range(10):
                    gate.open.release()
                answers = await asyncio.gather(first, asked[0], *asked[2:])
                assert [set(answer.values()) for answer in answers] == [{0}] * 4
                assert not asked[1].done()
        assert await asked[1] == {repeated.id: 0}

    run(database_url, story)


def test_who_comes_together_with_a_large_request_of_the_same_id_waits_for_it_alone(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.add_endpoints(30)
        gate, firsts = Gate(world), []
        for _ in range(SLOTS):
            firsts.append(asyncio.create_task(world.publish(an_event("quiet.type"))))
            await gate.arrived.get()
        large = [an_event() for _ in range(60)]
        answers = [asyncio.create_task(world.publish(*events)) for events in (large, large[:1])]
        while len(world.publisher._waiting) < 2:
            await asyncio.sleep(0)
        # Both, then one of them alone, which are found to be too much; and that one in a transaction of its own.
        for released in (SLOTS, 1, 1):
            for _ in range(released):
                gate.open.release()
            assert len(await gate.arrived.get()) == 60
        assert [len(request.events) for request in world.publisher._large] == [1]
        for _ in range(2):
            gate.open.release()
        for answer in await asyncio.gather(*answers):
            assert answer[large[0].id] == 30
        await asyncio.gather(*firsts)

    run(database_url, story)


def test_many_small_requests_that_are_large_together_share_what_fits(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.add_endpoints(MOST_ROWS // 4)
        events = [an_event() for _ in range(30)]
        answers = await asyncio.gather(*(world.publish(event) for event in events))
        assert answers == [{event.id: MOST_ROWS // 4} for event in events]
        assert await world.value("SELECT count(*) FROM job_queue") == 30 * (MOST_ROWS // 4)

    run(database_url, story)


def test_an_endpoint_that_goes_before_the_event_is_written_gets_nothing(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.add_endpoints(2)
        inner, asked = world.fan_out.to_matching, 0

        async def too_late(tx: Transaction, events: Sequence[Event]) -> Any:
            nonlocal asked
            found = await inner(tx, events)
            asked += 1
            if asked == 1:
                async with world.database.autocommit() as other:
                    await other.execute(b"DELETE FROM webhook_endpoints WHERE id = 'order.*1'")
            return found

        world.outbox._subscribers[:] = [too_late]
        event = an_event()
        assert await world.publish(event) == {event.id: 1}
        assert asked == 2
        assert await world.value("SELECT string_agg(webhook_id, ',') FROM webhook_deliveries") == "order.*2"
        assert await world.value("SELECT deliveries FROM events") == 1

    run(database_url, story)


def test_the_lock_on_an_endpoint_holds_up_who_wants_to_delete_it(database_url: str) -> None:
    """Until what was published to it is there, so that it can be discarded."""

    async def story(world: World) -> None:
        await world.add_endpoints(1)
        async with world.database.transaction() as tx:
            await world.outbox.publish(tx, [an_event()])
            async with world.database.autocommit() as other:
                locked = b"SELECT count(*) FROM (SELECT FROM webhook_endpoints FOR UPDATE SKIP LOCKED) AS w"
                assert await other.value(locked) == 0

    run(database_url, story)


def test_an_endpoint_can_be_changed_while_events_for_it_are_being_written(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.add_endpoints(1)
        store = EndpointStore()
        async with world.database.transaction() as tx:
            await world.outbox.publish(tx, [an_event()])
            async with world.database.transaction() as other:
                endpoint = await store.lock(other, "order.*1")
                assert endpoint is not None
                paused = msgspec.structs.asdict(endpoint) | {"state": "paused"}
                assert (await store.update(other, paused)).state == "paused"
        assert await world.value("SELECT count(*) FROM webhook_deliveries") == 1

    run(database_url, story)


def test_an_id_of_two_requests_at_once_is_recorded_for_the_first(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.add_endpoints(1)
        twice = an_event(id="mine")
        answers = await asyncio.gather(world.publish(twice), world.publish(twice, an_event(id="other")))
        assert answers == [{"mine": 1}, {"mine": 1, "other": 1}]
        for table in ("events", "webhook_deliveries", "job_queue", "audit_logs"):
            assert await world.value(f"SELECT count(*) FROM {table}") == 2

    run(database_url, story)


def test_who_goes_away_leaves_room_for_others(database_url: str) -> None:
    async def story(world: World) -> None:
        gate = Gate(world)
        gone = asyncio.create_task(world.publish(an_event(id="gone")))
        await gate.arrived.get()
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        gate.open.release()
        gate.open.release()
        await world.publish(an_event())
        while world.publisher._bytes:
            await asyncio.sleep(0.01)
        assert await world.value("SELECT count(*) FROM events") == 2

    run(database_url, story)
