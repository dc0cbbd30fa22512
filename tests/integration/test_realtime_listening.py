"""Whether anybody listens: where nobody does, an event has no job for realtime; where somebody does, none is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from unittest import mock

import pytest

from ogel.features.realtime import listening
from ogel.features.realtime.jobs import QUEUE, announce, publish_job
from ogel.features.realtime.listening import Listening
from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from tests.support.realtime import LIMIT_SECONDS, a_database, an_event

ANNOUNCED = b"SELECT jsonb_array_elements_text(payload -> 'event_ids') FROM job_queue ORDER BY seq"


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.listening = Listening(database)
        queue = JobQueue()
        queue.know([publish_job(mock.Mock())])
        self.outbox = Outbox(queue)
        self.outbox.subscribe({QUEUE: announce})

    async def publish(self, *events: Event) -> None:
        async with self.database.autocommit() as tx:
            assert await self.outbox.publish_at_once(tx, events) is not None

    async def announced(self) -> list[str]:
        async with self.database.autocommit() as tx:
            return [id for (id,) in await tx.tuples(ANNOUNCED)]

    async def execute(self, query: bytes) -> int:
        async with self.database.autocommit() as tx:
            return await tx.execute(query)


def run(url: str, story: Callable[[World], Awaitable[None]]) -> None:
    async def told() -> None:
        async with (
            asyncio.timeout(LIMIT_SECONDS),
            a_database(url, lambda queues: None) as database,
        ):
            await story(World(database))

    asyncio.run(told())


def test_without_listeners_there_is_no_job(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.publish(an_event(), an_event())
        assert await world.announced() == []

    run(database_url, story)


def test_from_the_first_listener_on_every_new_event_is_announced_once_and_in_order(database_url: str) -> None:
    async def story(world: World) -> None:
        known = an_event()
        await world.publish(known)
        async with world.listening.somebody(), world.listening.somebody():
            events = [an_event() for _ in range(3)]
            events.reverse()
            await world.publish(events[0], known, *events[1:])
        # Who reconnects in a moment is not forgotten.
        last = an_event()
        await world.publish(last)
        assert await world.announced() == [each.id for each in [*events, last]]

    run(database_url, story)


def test_who_publishes_while_the_first_comes_is_waited_for(database_url: str) -> None:
    """They may have seen that nobody listens, and be answered later than the listener."""

    async def story(world: World) -> None:
        async with world.database.transaction() as tx:
            await world.outbox.publish(tx, [an_event()])
            entering = asyncio.create_task(world.listening.somebody().__aenter__())
            async with asyncio.timeout(10):
                while not await _is_said(world):
                    await asyncio.sleep(0.01)
            # Those who begin later know, and are not waited for.
            async with world.database.transaction() as later:
                event = an_event()
                await world.outbox.publish(later, [event])
                done, _ = await asyncio.wait([entering], timeout=0.1)
                assert not done
        await entering
        assert await world.announced() == [event.id]

    run(database_url, story)


async def _is_said(world: World) -> bool:
    async with world.database.autocommit() as tx:
        return bool(await tx.value(b"SELECT count(*) FROM realtime_listening"))


def test_a_listener_is_refused_before_it_would_miss_something(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "PATIENCE_SECONDS", 0.1)

    async def story(world: World) -> None:
        async with world.database.transaction() as tx:
            await world.outbox.publish(tx, [an_event()])
            with pytest.raises(Unavailable):
                await world.listening.somebody().__aenter__()
        async with world.listening.somebody():
            pass

    run(database_url, story)


def test_no_event_is_missed_however_it_falls_together(database_url: str) -> None:
    """Events whose publishing began after the listener was let in, by publishers who never stop."""

    async def story(world: World) -> None:
        let_in, promised = asyncio.Event(), set()
        stop = asyncio.Event()

        async def publishing() -> None:
            while not stop.is_set():
                event, is_promised = an_event(), let_in.is_set()
                await world.publish(event)
                if is_promised:
                    promised.add(event.id)

        for _ in range(5):
            let_in.clear(), stop.clear(), promised.clear()
            publishers = [asyncio.create_task(publishing()) for _ in range(3)]
            await asyncio.sleep(0.02)
            async with Listening(world.database).somebody():
                let_in.set()
                while len(promised) < 10:
                    await asyncio.sleep(0)
                stop.set()
                await asyncio.gather(*publishers)
            assert promised <= set(await world.announced())
            await world.execute(b"DELETE FROM job_queue")
            await world.execute(b"DELETE FROM realtime_listening")

    run(database_url, story)


def test_all_who_come_while_the_database_hangs_are_refused_together(database_url: str) -> None:
    """Not one after the other, each after a wait of its own."""

    async def story(world: World) -> None:
        asked = asyncio.Event()
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def saying(*_: object) -> None:
            asked.set()
            await answer

        with mock.patch.object(listening, "say_listening", saying):
            entering = [asyncio.create_task(world.listening.somebody().__aenter__()) for _ in range(5)]
            await asked.wait()
            entering.pop(0).cancel()  # the one who asked first; the others get the answer all the same
            asked.clear()
            await asyncio.sleep(0)
            answer.set_exception(DatabaseAway("it hangs"))
            refused = await asyncio.gather(*entering, return_exceptions=True)
            assert [type(each) for each in refused] == [DatabaseAway] * 4
            assert not asked.is_set()
        async with world.listening.somebody():
            await world.publish(event := an_event())
        assert await world.announced() == [event.id]

    run(database_url, story)


def test_who_comes_later_waits_for_nobody_who_says_it_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which takes long where the database hangs."""
    monkeypatch.setattr(listening, "RENEW_SECONDS", 0.02)

    async def story(world: World) -> None:
        stop, asked, answer = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def saying(*_: object) -> None:
            asked.set()
            await answer.wait()

        async with world.listening.somebody():
            with mock.patch.object(listening, "say_listening", saying):
                running = asyncio.create_task(world.listening.run(stop))
                await asked.wait()
                async with asyncio.timeout(5), world.listening.somebody():
                    pass
                answer.set(), stop.set()
                await running

    run(database_url, story)


def test_it_is_said_while_somebody_is_there_and_taken_back_afterwards(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "RENEW_SECONDS", 0.02)

    async def story(world: World) -> None:
        stop = asyncio.Event()
        # Left behind by a process that died.
        await world.execute(b"INSERT INTO realtime_listening VALUES ('dead', now() - interval '1 second')")
        running = asyncio.create_task(world.listening.run(stop))
        async with world.listening.somebody():
            await world.execute(b"UPDATE realtime_listening SET until = now()")
            async with world.database.autocommit() as tx:
                while not await tx.value(
                    b"SELECT bool_or(until > now() + interval '14 minutes') FROM realtime_listening"
                ):
                    await asyncio.sleep(0.01)
        while await _is_said(world):
            await asyncio.sleep(0.01)
        await world.publish(an_event())
        assert await world.announced() == []
        async with world.listening.somebody():
            await world.publish(event := an_event())
            stop.set()
            await running
        assert await world.announced() == [event.id]
        assert not await _is_said(world)

    run(database_url, story)
