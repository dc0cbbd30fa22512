"""An event id means one event for ever: between processes, after a rollback, and after retention forgot the event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.events.feature import build
from ogel.features.events.settings import EventsSettings
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.platform.platform import Platform
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Consequences, Outbox, Publication
from ogel.settings import NOWHERE


class Heard(Consequences):
    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    def deliveries(self) -> dict[str, int]:
        """As many as the event's data says."""
        return {event.id: int(event.data) for event in self._events}


async def subscriber(_: Transaction, events: Sequence[Event]) -> Consequences:
    return Heard(events)


def event(id: str, deliveries: int) -> Event:
    return Event(id, "a.b", b"%d" % deliveries, None, utc_now())


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    pool = make_pool(url, PoolOptions(1, 4, 30, 5, 10))
    await pool.open()
    try:
        yield Database(pool, lambda _: None)
    finally:
        await pool.close()


def outbox() -> Outbox:
    """Each stands for a process of its own."""
    made = Outbox(JobQueue())
    made.subscribe({"none": subscriber})
    return made


async def publish(database: Database, *events: Event) -> Publication:
    async with database.transaction() as tx:
        return await outbox().publish(tx, events)


async def blocked(database: Database) -> None:
    """Returns once some other connection waits for a lock."""
    waiting = (
        b"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(10), database.autocommit() as tx:
        while await tx.value(waiting) is None:
            await asyncio.sleep(0.01)


def test_of_two_publishers_at_once_the_second_answers_what_the_first_did(database_url: str) -> None:
    async def story() -> None:
        async with opened(database_url) as database:
            async with database.transaction() as tx:
                first = await outbox().publish(tx, [event("same", 3)])
                second = asyncio.create_task(publish(database, event("same", 7), event("other", 1)))
                await blocked(database)
            answer = await second
            assert (first.new_ids, first.deliveries) == (["same"], {"same": 3})
            assert (answer.new_ids, answer.deliveries) == (["other"], {"same": 3, "other": 1})

    asyncio.run(story())


def test_of_two_publishers_at_once_the_second_takes_over_when_the_first_gives_up(database_url: str) -> None:
    async def story() -> None:
        async with opened(database_url) as database:
            try:
                async with database.transaction() as tx:
                    await outbox().publish(tx, [event("same", 3)])
                    second = asyncio.create_task(publish(database, event("same", 7)))
                    await blocked(database)
                    raise LookupError
            except LookupError:
                answer = await second
            assert (answer.new_ids, answer.deliveries) == (["same"], {"same": 7})

    asyncio.run(story())


def test_an_id_outlives_its_event(database_url: str) -> None:
    """Retention deletes the event; publishing its id again still answers what it answered first."""
    made_here = new_id("evt")

    async def story() -> None:
        async with opened(database_url) as database:
            await publish(database, event("mine", 3), event("young", 1), event(made_here, 1))
            async with database.autocommit() as tx:
                await tx.execute(
                    b"UPDATE events SET created_at = now() - interval '40 days' WHERE id <> 'young'"
                )
            [purge] = build(Platform(NOWHERE).core, EventsSettings()).purges
            async with database.autocommit() as tx:
                assert (await purge.batch(tx, utc_now() - timedelta(days=30), 100)).deleted == 2
            for _ in range(2):
                again = await publish(database, event("mine", 9), event("new", 1))
                assert again.deliveries == {"mine": 3, "new": 1}
                assert "mine" not in again.new_ids

    asyncio.run(story())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT id FROM events ORDER BY id").fetchall() == [("new",), ("young",)]
        # Ids that Ogel made are not kept: there would be one per event, and nobody sends them.
        assert connection.execute("SELECT id, deliveries FROM event_ids").fetchall() == [("mine", 3)]
