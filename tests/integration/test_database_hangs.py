"""A PostgreSQL that hangs: nobody waits for it longer than they said, and afterwards nothing is missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.runtime.database.check import check_writes
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.database.faults import DatabaseSilent
from ogel.runtime.database.patience import patience
from tests.conftest import BACKEND
from tests.support.hanging import hanging_postgres

pytestmark = pytest.mark.skipif(BACKEND == "containers", reason="stops the server's processes")

MOST = 3
PATIENCE_SECONDS = 0.5
POOL_SECONDS = 0.5
# What a busy machine adds.
ROOM_SECONDS = 2.0


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    async with make_pool(url, PoolOptions(1, MOST, 30, POOL_SECONDS, 10)) as pool:
        database = Database(pool, lambda _: None)
        async with database.autocommit() as tx:
            await tx.execute(b"CREATE SCHEMA ogel")
            await tx.execute(b"CREATE TABLE trial (n int PRIMARY KEY)")
        yield database


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + ROOM_SECONDS


async def work(database: Database) -> int:
    async with database.autocommit() as tx:
        return int(await tx.value(b"SELECT 1"))


async def all_connections(database: Database) -> int:
    """How many sessions there can be at once: of a connection that was lost, there would be one less."""
    for _ in range(20):  # one that is being made when another one is asked for comes a moment later
        together = asyncio.Barrier(MOST)

        async def hold(meeting: asyncio.Barrier = together) -> int:
            async with database.autocommit() as tx, asyncio.timeout(5):
                await meeting.wait()
                return int(await tx.value(b"SELECT 1"))

        done = await asyncio.gather(*(hold() for _ in range(MOST)), return_exceptions=True)
        if done.count(1) == MOST:
            return MOST
    raise AssertionError(f"{done}")


def test_those_who_wait_and_those_who_come_are_told_in_time(empty_database_url: str) -> None:
    async def story() -> None:
        async with opened(empty_database_url) as database:
            assert await all_connections(database) == MOST
            with patience(PATIENCE_SECONDS), hanging_postgres(empty_database_url):
                with within(PATIENCE_SECONDS):
                    found = await asyncio.gather(*(work(database) for _ in range(2)), return_exceptions=True)
                assert [type(each) for each in found] == [DatabaseSilent] * 2
                # No connection is trusted that would be silent, too.
                with within(POOL_SECONDS):
                    found = await asyncio.gather(*(work(database) for _ in range(9)), return_exceptions=True)
                assert all(isinstance(each, DatabaseAway) for each in found)
            assert await all_connections(database) == MOST

    asyncio.run(story())


def test_a_commit_that_was_not_answered_is_in_doubt_and_says_so(empty_database_url: str) -> None:
    async def story() -> None:
        async with opened(empty_database_url) as database:
            with patience(PATIENCE_SECONDS):
                with pytest.raises(DatabaseSilent, match="may be done all the same") as told:
                    async with database.transaction() as tx:
                        await tx.execute(b"INSERT INTO trial VALUES (1)")
                        stopped = hanging_postgres(empty_database_url)
                        stopped.__enter__()
                stopped.__exit__(None, None, None)
            assert told.value.status == 503
            assert told.value.retry_after_seconds
            async with database.transaction() as tx:
                await tx.execute(b"INSERT INTO trial VALUES (1) ON CONFLICT DO NOTHING")
                assert await tx.value(b"SELECT count(*) FROM trial") == 1

    asyncio.run(story())


def test_who_gives_up_earlier_does_not_wait_for_the_server_to_be_told(empty_database_url: str) -> None:
    async def story() -> None:
        async with opened(empty_database_url) as database:
            with (
                patience(PATIENCE_SECONDS),
                hanging_postgres(empty_database_url),
                within(1.0),
                pytest.raises((TimeoutError, DatabaseAway)),
            ):
                async with asyncio.timeout(PATIENCE_SECONDS / 2):
                    await work(database)
            assert await all_connections(database) == MOST

    asyncio.run(story())


@pytest.mark.parametrize("busy", [0, 1, MOST])
def test_a_check_takes_less_than_two_seconds(empty_database_url: str, busy: int) -> None:
    async def story() -> None:
        async with opened(empty_database_url) as database:
            assert await all_connections(database) == MOST
            with hanging_postgres(empty_database_url), patience(10):
                held = [asyncio.create_task(work(database)) for _ in range(busy)]
                await asyncio.sleep(0)
                began = time.monotonic()
                with pytest.raises(DatabaseAway):
                    await check_writes(database)
                assert time.monotonic() - began < 2.0
                for each in held:
                    each.cancel()
            await asyncio.gather(*held, return_exceptions=True)
            await check_writes(database)

    asyncio.run(story())


def test_silence_is_no_matter_to_who_has_the_patience(empty_database_url: str) -> None:
    async def story() -> None:
        async with opened(empty_database_url) as database:
            with patience(5):
                async with database.autocommit() as tx:
                    assert await tx.value(b"SELECT 1 FROM pg_sleep(1)") == 1

    asyncio.run(story())


def test_a_statement_whose_requester_has_given_up_does_not_run_on(empty_database_url: str) -> None:
    running = (
        b"SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)' AND state = 'active'"
    )

    async def story() -> None:
        async with opened(empty_database_url) as database:
            with patience(0.2), pytest.raises(DatabaseSilent):
                async with database.autocommit() as tx:
                    await tx.execute(b"SELECT pg_sleep(20)")
            async with asyncio.timeout(10), database.autocommit() as tx:
                assert await tx.value(running) == 1
                while await tx.value(running):
                    await asyncio.sleep(0.05)

    asyncio.run(story())
