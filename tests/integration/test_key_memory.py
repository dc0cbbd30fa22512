"""A key found good is believed for less than a second: in every process, whoever ends it, with Redis or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.store import AuditStore
from ogel.features.keys.service import MOST_KEYS, KeyService
from ogel.features.keys.store import KeyStore, Standing
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import SYSTEM, Caller, Principal
from ogel.runtime import believed
from ogel.runtime.believed import BELIEVED_SECONDS, Believed
from ogel.runtime.database.database import Database, DatabaseAway, Transaction
from tests.support.keys import make

CALLER = Caller(SYSTEM, "req_1")
# From the commit of a revocation to the last request that passes, as docs/keys.md says.
HEARD_SECONDS = 1.0
READER = Principal("key", "key_1", frozenset({"events:read"}))


class Process(KeyService):
    """As many of them as there are processes, without Redis between them. Counts what the database is asked."""

    def __init__(self, database: Database) -> None:
        store, audit = KeyStore(), AuditStore()
        self.uses, self.watch, self.database, self.asked = (
            KeyUses(database, audit),
            KeyWatch(database, store),
            database,
            0,
        )
        super().__init__(
            database, store, audit, self.uses, self.watch, None, None, lambda: ["events:read", "events:write"]
        )
        find = store.find

        async def counted(tx: object, key_hash: bytes) -> object:
            self.asked += 1
            return await find(tx, key_hash)  # type: ignore[arg-type]

        store.find = counted  # type: ignore[method-assign,assignment]

    async def execute(self, statement: bytes, **parameters: object) -> None:
        async with self.database.autocommit() as tx:
            await tx.execute(statement, parameters)


@asynccontextmanager
async def processes(url: str) -> AsyncIterator[tuple[Process, Process]]:
    async with (
        asyncio.timeout(30),
        make_pool(url, PoolOptions(1, 4, 30, 5, 10)) as first,
        make_pool(url, PoolOptions(1, 4, 30, 5, 10)) as second,
    ):
        yield Process(Database(first, lambda _: None)), Process(Database(second, lambda _: None))


async def last_good(process: Process, key: str) -> float:
    """When the last request began that passed, asking without a pause until one does not."""
    last = began = time.monotonic()
    while await process.authenticate(key, CALLER) is not None:
        last = began
        await asyncio.sleep(0)
        began = time.monotonic()
    return last


@pytest.mark.parametrize(
    "statement",
    [
        b"UPDATE api_keys SET revoked_at = now() WHERE id = %(id)s",
        b"UPDATE api_keys SET expires_at = now() WHERE id = %(id)s",
        b"DELETE FROM api_keys WHERE id = %(id)s",
    ],
)
def test_whatever_ends_a_key_is_heard_while_it_is_used_without_a_pause(
    database_url: str, statement: bytes
) -> None:
    async def story() -> None:
        async with processes(database_url) as (first, second):
            id, key = await make(first, CALLER, "busy", ["events:read"])
            asking = [asyncio.create_task(last_good(each, key)) for each in (first, second) for _ in range(4)]
            await asyncio.sleep(0.2)
            await first.execute(statement, id=id)
            ended = time.monotonic()
            assert max(await asyncio.gather(*asking)) - ended < HEARD_SECONDS

    asyncio.run(story())


def test_who_revokes_knows_at_once(database_url: str) -> None:
    async def story() -> None:
        async with processes(database_url) as (first, _):
            id, key = await make(first, CALLER, "busy", ["events:read"])
            assert await first.authenticate(key, CALLER) is not None
            await first.revoke(CALLER, id)
            assert await first.authenticate(key, CALLER) is None

    asyncio.run(story())


def test_whoever_hears_news_of_a_key_asks_again(database_url: str) -> None:
    async def story() -> None:
        async with processes(database_url) as (first, second):
            id, key = await make(first, CALLER, "busy", ["events:read"])
            assert await second.authenticate(key, CALLER) is not None
            await first.revoke(CALLER, id)
            second.watch.look_soon()  # as the feed does when Redis says so
            assert await second.authenticate(key, CALLER) is None

    asyncio.run(story())


def test_changed_scopes_are_heard(database_url: str) -> None:
    async def story() -> None:
        async with processes(database_url) as (first, _):
            id, key = await make(first, CALLER, "busy", ["events:read", "events:write"])
            await first.authenticate(key, CALLER)
            await first.execute(b"UPDATE api_keys SET scopes = '{events:read}' WHERE id = %(id)s", id=id)
            changed = time.monotonic()
            while (principal := await first.authenticate(key, CALLER)) and principal.may("events:write"):
                assert time.monotonic() - changed < HEARD_SECONDS + 1
                await asyncio.sleep(0.01)
            assert principal is not None and principal.scopes == {"events:read"}

    asyncio.run(story())


def test_a_key_ends_at_its_moment(database_url: str) -> None:
    async def story() -> None:
        async with processes(database_url) as (first, _):
            expires_at = utc_now() + timedelta(seconds=0.7)
            _, key = await make(first, CALLER, "brief", ["events:read"], expires_at)
            began = utc_now()
            while await first.authenticate(key, CALLER) is not None:
                assert began <= expires_at
                await asyncio.sleep(0)
                began = utc_now()
            assert utc_now() >= expires_at

    asyncio.run(story())


def test_the_database_is_asked_once_a_second_and_every_use_is_noted(database_url: str) -> None:
    async def story() -> None:
        async with processes(database_url) as (first, _):
            id, key = await make(first, CALLER, "busy", ["events:read"])
            began = time.monotonic()
            for _ in range(500):
                assert await first.authenticate(key, CALLER) == Principal(
                    "key", id, frozenset({"events:read"})
                )
            assert first.asked <= 1 + (time.monotonic() - began) / BELIEVED_SECONDS
            first.uses._hour = 0  # an hour later
            await first.authenticate(key, CALLER)
            assert [entry.resource_id for entry in first.uses._waiting] == [id, id]

    asyncio.run(story())


def test_those_who_ask_at_the_same_time_ask_once(database_url: str) -> None:
    """However slow the answer; who gives up takes nobody along, and news of a key is not answered by what is older."""

    async def story() -> None:
        async with processes(database_url) as (first, second):
            id, key = await make(second, CALLER, "busy", ["events:read"])
            asking = [asyncio.create_task(first.authenticate(key, CALLER)) for _ in range(50)]
            await asyncio.sleep(0)
            asking[0].cancel()
            answers = await asyncio.gather(*asking[1:])
            assert [each and each.id for each in answers] == [id] * 49 and first.asked == 1
            first.watch.look_soon()
            early = asyncio.create_task(first.authenticate(key, CALLER))
            await asyncio.sleep(0)
            await second.revoke(CALLER, id)
            first.watch.look_soon()
            assert await first.authenticate(key, CALLER) is None
            await early
            assert await first.authenticate(key, CALLER) is None
            wrong = [first.authenticate("ogel_wrong", CALLER) for _ in range(50)]
            assert await asyncio.gather(*wrong) == [None] * 50
            await first.database._pool.close()
            away = [first.authenticate("ogel_wrong", CALLER) for _ in range(50)]
            assert {type(each) for each in await asyncio.gather(*away, return_exceptions=True)} == {
                DatabaseAway
            }

    asyncio.run(story())


def test_nobody_joins_a_question_whose_answer_may_be_too_old(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a database that answers late what it found in time."""

    async def story() -> None:
        async with processes(database_url) as (first, second):
            id, key = await make(second, CALLER, "busy", ["events:read"])
            found, released = asyncio.Event(), asyncio.Event()
            find = first._store.find

            async def late(tx: Transaction, key_hash: bytes) -> tuple[str, Standing] | None:
                standing = await find(tx, key_hash)
                if not found.is_set():
                    found.set()
                    await released.wait()
                return standing

            monkeypatch.setattr(first._store, "find", late)
            early = asyncio.create_task(first.authenticate(key, CALLER))
            await found.wait()
            await second.revoke(CALLER, id)
            monkeypatch.setattr(
                believed, "BELIEVED_SECONDS", 0.0
            )  # it is that later, without a word to this process
            assert await first.authenticate(key, CALLER) is None
            released.set()
            assert await early is not None  # who asked before the end may pass

    asyncio.run(story())


def test_without_the_database_a_key_is_good_for_less_than_a_second(database_url: str) -> None:
    async def story() -> None:
        async with processes(database_url) as (first, _):
            _, key = await make(first, CALLER, "busy", ["events:read"])
            assert await first.authenticate(key, CALLER) is not None
            asked = time.monotonic()
            await first.database._pool.close()
            last = asked
            with pytest.raises(DatabaseAway):
                while True:
                    began = time.monotonic()
                    await first.authenticate(key, CALLER)
                    last = began
                    await asyncio.sleep(0)
            assert last - asked < HEARD_SECONDS

    asyncio.run(story())


def test_what_is_no_key_is_not_remembered(database_url: str) -> None:
    """A new key works at once, and nobody fills the memory with what they make up."""

    async def story() -> None:
        async with processes(database_url) as (first, second):
            for n in range(100):
                assert await first.authenticate(f"ogel_{n}", CALLER) is None
            assert first.asked == 100 and not first._memory._known
            _, key = await make(second, CALLER, "new", ["events:read"])
            assert await first.authenticate(key, CALLER) is not None

    asyncio.run(story())


def test_the_memory_holds_so_many_and_no_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, now = Believed[bytes, Principal](MOST_KEYS), 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for n in range(30_000):
        memory.remember(n.to_bytes(32, "big"), READER, now)
    assert len(memory._known) == MOST_KEYS
    assert memory.find((29_999).to_bytes(32, "big")) == READER
    assert memory.find((0).to_bytes(32, "big")) is None
    now += BELIEVED_SECONDS
    assert memory.find((29_999).to_bytes(32, "big")) is None
    memory.remember(b"one", READER, now)
    assert list(memory._known) == [b"one"]


def test_an_answer_that_may_be_older_than_the_news_is_not_believed() -> None:
    memory = Believed[bytes, Principal](MOST_KEYS)
    asked_at = time.monotonic()
    memory.forget_all()
    memory.remember(b"one", READER, asked_at)
    assert memory.find(b"one") is None
