"""Uses and refusals of keys: few records whatever is tried, and none lost to a database that was away."""

from __future__ import annotations

import asyncio
from collections import Counter

import psycopg
import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.store import AuditStore
from ogel.features.keys.uses import MORE, MOST, KeyUses
from ogel.kernel.principal import ANONYMOUS, Caller
from ogel.runtime.database.database import Database

SOMEBODY = Caller(ANONYMOUS, "req_1", "192.0.2.1")


def recorded(url: str) -> Counter[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        return Counter(connection.execute("SELECT action, resource_id FROM audit_logs").fetchall())


def uses(url: str) -> tuple[KeyUses, Database]:
    pool = make_pool(url, PoolOptions(0, 2, 30, 1, 10))
    database = Database(pool, lambda _: None)
    database.pool = pool  # type: ignore[attr-defined]
    return KeyUses(database, AuditStore()), database


def test_processes_record_one_between_them(database_url: str) -> None:
    async def main() -> None:
        both = [uses(database_url) for _ in range(2)]
        for _, database in both:
            await database.pool.open()  # type: ignore[attr-defined]
        for each, _ in both:
            each.note("key.use", "key_1", SOMEBODY)
            each.note("key.use", "key_1", SOMEBODY)
        await asyncio.gather(*(each.flush() for each, _ in both))
        both[0][0].note("key.refuse", "key_1", SOMEBODY)
        await both[0][0].flush()
        await both[0][0].flush()
        for _, database in both:
            await database.pool.close()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert recorded(database_url) == {("key.use", "key_1"): 1, ("key.refuse", "key_1"): 1}


def test_an_hour_later_it_is_recorded_again(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        each, database = uses(database_url)
        await database.pool.open()  # type: ignore[attr-defined]
        each.note("key.use", "key_1", SOMEBODY)
        await each.flush()
        async with database.autocommit() as tx:  # ids say when a record was written
            await tx.execute(b"UPDATE audit_logs SET id = 'aud_0'")
        monkeypatch.setattr(each, "_hour", 0)
        each.note("key.use", "key_1", SOMEBODY)
        await each.flush()
        await database.pool.close()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert recorded(database_url) == {("key.use", "key_1"): 2}


def test_whoever_tries_keys_from_everywhere_fills_the_log_no_further(database_url: str) -> None:
    most = MOST["key.refuse"]

    async def main() -> None:
        each, database = uses(database_url)
        await database.pool.open()  # type: ignore[attr-defined]
        for n in range(5 * most):
            each.note("key.refuse", f"unknown:192.0.2.{n}", SOMEBODY)
        each.note("key.use", "key_1", SOMEBODY)
        await each.flush()
        await database.pool.close()  # type: ignore[attr-defined]

    asyncio.run(main())
    found = recorded(database_url)
    assert found.total() == most + 2
    assert found["key.refuse", MORE] == found["key.use", "key_1"] == 1


def test_what_the_database_does_not_take_it_is_offered_again(database_url: str) -> None:
    async def main() -> None:
        each, database = uses(database_url)
        each.note("key.use", "key_1", SOMEBODY)
        await each.flush()  # the pool is not open yet
        await database.pool.open()  # type: ignore[attr-defined]
        stop = asyncio.Event()
        running = asyncio.create_task(each.run(stop))
        await asyncio.sleep(0)
        each.note("key.use", "key_2", SOMEBODY)
        stop.set()  # what is noted by then is recorded before it ends
        await running
        await database.pool.close()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert recorded(database_url) == {("key.use", "key_1"): 1, ("key.use", "key_2"): 1}
