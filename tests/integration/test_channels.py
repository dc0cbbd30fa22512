"""Channels: numbered in the order of commits, heard once and in order whatever Redis loses, and recovered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.realtime.channels import following
from ogel.features.realtime.channels.following import Following
from ogel.features.realtime.channels.metrics import ChannelMetrics
from ogel.features.realtime.channels.recovery import recover
from ogel.features.realtime.channels.store import NewPublication, publish
from ogel.runtime.database.database import Database
from ogel.runtime.realtime.publication import Position, Publication, packed

LIMIT_SECONDS = 20
NOW = datetime(2026, 11, 29, tzinfo=UTC)


class World:
    """A process that follows channels; `told` is what its subscribers got, `lost` the channels they must begin anew."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[Publication] = []
        self.lost: list[str] = []
        self._changed = asyncio.Event()
        self.following = Following(database, self._deliver, self._lost, ChannelMetrics(CollectorRegistry()))

    async def publish(self, channel: str, *data: str, **more: str) -> list[Publication]:
        """Returns what a broadcast would carry, if it did."""
        async with self.database.transaction() as tx:
            placed = await publish(tx, [NewPublication(channel, each, **more) for each in data])
        return [
            Publication(channel, place.epoch, place.offset, NOW, each.encode())
            for place, each in zip(placed, data, strict=True)
        ]

    def offsets(self, channel: str) -> list[int]:
        return [each.offset for each in self.told if each.channel == channel]

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            while not enough():
                self._changed.clear()
                await self._changed.wait()

    def _deliver(self, publication: Publication) -> None:
        self.told.append(publication)
        self._changed.set()

    def _lost(self, channel: str) -> None:
        self.lost.append(channel)
        self._changed.set()


@asynccontextmanager
async def a_world(url: str) -> AsyncIterator[World]:
    pool = make_pool(url, PoolOptions(1, 8, 30, 5, 10))
    await pool.open()
    world, stop = World(Database(pool, lambda queues: None)), asyncio.Event()
    running = asyncio.create_task(world.following.run(stop))
    try:
        yield world
    finally:
        stop.set()
        await running
        await pool.close()


def run(url: str, story: Callable[[World], Awaitable[None]]) -> None:
    async def told() -> None:
        async with a_world(url) as world:
            await story(world)

    asyncio.run(told())


def test_numbers_are_in_the_order_of_commits_and_none_is_missing(database_url: str) -> None:
    async def story(world: World) -> None:
        committed: dict[str, list[int]] = {"a": [], "b": []}

        async def publisher(seed: int) -> None:
            chance = random.Random(seed)
            for _ in range(10):
                channels = chance.choices("ab", k=chance.randint(1, 3))
                try:
                    async with world.database.transaction() as tx:
                        placed = await publish(tx, [NewPublication(each, "{}") for each in channels])
                        if chance.random() < 0.3:
                            raise asyncio.QueueEmpty
                except asyncio.QueueEmpty:
                    continue  # rolled back: nobody sees its numbers
                for channel, place in zip(channels, placed, strict=True):
                    committed[channel].append(place.offset)

        await asyncio.gather(*(publisher(seed) for seed in range(8)))
        for offsets in committed.values():
            assert sorted(offsets) == list(range(1, len(offsets) + 1))

    run(database_url, story)


def test_a_key_is_published_once_however_often_and_by_how_many_at_once(database_url: str) -> None:
    async def story(world: World) -> None:
        made = await asyncio.gather(
            *(world.publish("once", "1", idempotency_key="same") for _ in range(20)),
            world.publish("once", "2"),
        )
        offsets = [each.offset for [each] in made]
        assert len(set(offsets[:20])) == 1
        assert set(offsets) == {1, 2}
        async with world.database.transaction() as tx:
            twice = await publish(tx, [NewPublication("once", "3", idempotency_key="two")] * 2)
        assert [(each.offset, each.is_new) for each in twice] == [(3, True), (3, False)]

    run(database_url, story)


def test_what_redis_tells_is_handed_on_once_and_in_order(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.publish("chat", "before")
        await world.following.follow("chat")
        one, two, three = await world.publish("chat", "1", "2", "3")
        for each in (one, one, three, two, three, one):
            world.following.heard(packed(each))
        await world.until(lambda: len(world.told) == 3)
        assert world.offsets("chat") == [2, 3, 4]
        world.following.heard(packed(one))
        world.following.heard(b"no publication")
        world.following.forget("chat")
        world.following.heard(packed((await world.publish("chat", "4"))[0]))
        assert len(world.told) == 3

    run(database_url, story)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_redis_loses_or_doubles_is_heard(database_url: str, seed: int) -> None:
    async def story(world: World) -> None:
        chance = random.Random(seed)
        names = [f"room:{number}" for number in range(5)]
        for name in names[:4]:
            await world.following.follow(name)
        counts = dict.fromkeys(names, 0)
        for _ in range(40):
            name = chance.choice(names)
            made = await world.publish(name, *["{}"] * chance.randint(1, 4))
            counts[name] += len(made)
            kept = [each for each in made * chance.randint(1, 2) if chance.random() < 0.6]
            chance.shuffle(kept)
            for each in kept:
                world.following.heard(packed(each))
            if chance.random() < 0.1:
                world.following.connected()
        await world.until(lambda: all(len(world.offsets(each)) == counts[each] for each in names[:4]))
        assert all(world.offsets(each) == list(range(1, counts[each] + 1)) for each in names[:4])
        assert world.offsets(names[4]) == []
        assert world.lost == []

    run(database_url, story)


def test_what_is_not_kept_any_more_is_told_to_be_lost(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.publish("chat", "1")
        await world.following.follow("chat")
        async with world.database.autocommit() as tx:
            await tx.execute(b"INSERT INTO realtime_namespaces VALUES ('', 3, 3600)")
        await world.publish("chat", *"23456")
        await world.until(lambda: bool(world.lost))
        assert world.lost == ["chat"]
        [latest] = await world.publish("chat", "7")
        world.following.heard(packed(latest))
        await world.until(lambda: world.offsets("chat") == [7])

    monkeypatch.setattr(following, "CLOCK_SECONDS", 0.05)
    run(database_url, story)


def test_a_channel_of_another_epoch_is_another_channel(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.publish("chat", "1", "2")
        await world.following.follow("chat")
        before = world.following.position("chat")
        async with world.database.autocommit() as tx:
            await tx.execute(b"DELETE FROM realtime_channels")
            await tx.execute(b"DELETE FROM realtime_publications")
        await world.publish("chat", "1", "2", "3")
        await world.until(lambda: bool(world.lost))
        assert world.following.position("chat").epoch != before.epoch
        [latest] = await world.publish("chat", "4")
        world.following.heard(packed(latest))
        assert world.offsets("chat") == [4]

    monkeypatch.setattr(following, "CLOCK_SECONDS", 0.05)
    run(database_url, story)


def test_while_postgres_is_away_nothing_is_lost(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        await world.following.follow("chat")
        with psycopg.connect(database_url, autocommit=True) as other:
            await world.publish("chat", "1")
            ending = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            )
            for _ in range(3):
                other.execute(f"{ending} AND pid <> pg_backend_pid()")
                await asyncio.sleep(0.05)
        await world.until(lambda: world.offsets("chat") == [1])

    monkeypatch.setattr(following, "CLOCK_SECONDS", 0.05)
    run(database_url, story)


@pytest.mark.parametrize(
    ("since", "recovered", "offsets"),
    [
        (Position("", 0), False, []),
        (Position("same", 2), True, [3, 4, 5]),
        (Position("same", 4), True, [5]),
        (Position("same", 5), True, []),
        (Position("same", 1), False, []),
        (Position("same", 6), False, []),
        (Position("other", 4), False, []),
    ],
)
def test_who_comes_back_gets_what_was_missed_or_is_told(
    database_url: str, since: Position, recovered: bool, offsets: Sequence[int]
) -> None:
    async def story(world: World) -> None:
        async with world.database.autocommit() as tx:
            await tx.execute(b"INSERT INTO realtime_namespaces VALUES ('kept', 3, 60)")
        made = await world.publish("kept:x", *"12345")
        top = made[-1].position
        asked = Position(top.epoch, since.offset) if since.epoch == "same" else since
        async with world.database.autocommit() as tx:
            found = await recover(tx, "kept:x", asked, top)
        assert (found.recovered, [each.offset for each in found.publications]) == (recovered, offsets)

    run(database_url, story)
