"""Changing OGEL_SECRET: everything sealed moves to the new key, restartably and beside those who read and write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg
import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.runtime.database.database import Database
from ogel.runtime.secrets.sealed import BATCH, KeyUse, Resealed, SealedColumn, SealedValues
from ogel.runtime.secrets.vault import Vault
from tests.unit.runtime.test_vault import version_1

OLD, NEW, LOST = "o" * 24, "n" * 24, "l" * 24
COLUMN = SealedColumn("sealed_things", "id", "bytes", owner="owner", purpose="thing:{}".format)


@pytest.fixture
def things_url(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE sealed_things (id text PRIMARY KEY, owner text, bytes bytea)")
    return database_url


def put(url: str, **things: bytes | None) -> None:
    """By id; the owner of `x` is `ox`."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        rows = [(id, f"o{id}", sealed) for id, sealed in things.items()]
        cursor.executemany("INSERT INTO sealed_things VALUES (%s, %s, %s)", rows)


def opened(url: str, secret: str) -> dict[str, bytes]:
    vault = Vault(secret)
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT id, owner, bytes FROM sealed_things WHERE bytes IS NOT NULL"
        ).fetchall()
    return {id: vault.unseal(sealed, f"thing:{owner}") for id, owner, sealed in rows}


@asynccontextmanager
async def values(url: str, vault: Vault) -> AsyncIterator[SealedValues]:
    async with make_pool(url, PoolOptions(1, 2, 30.0, 5.0, 10)) as pool:
        yield SealedValues(Database(pool, lambda _: None), vault, [COLUMN])


def reseal(url: str, vault: Vault) -> Resealed:
    async def run() -> Resealed:
        async with values(url, vault) as each:
            steps = [done async for done in each.reseal()]
        return steps[-1] if steps else Resealed()

    return asyncio.run(run())


def status(url: str, vault: Vault) -> list[KeyUse]:
    async def run() -> list[KeyUse]:
        async with values(url, vault) as each:
            return await each.status()

    return asyncio.run(run())


def test_ids_may_be_uuids_and_tables_stand_in_other_schemas_of_ours(database_url: str) -> None:
    vault, count = Vault(NEW, [OLD]), BATCH + 7
    column = SealedColumn("others", "id", "bytes", owner="id", purpose="thing:{}".format, id_type="uuid")
    ids = [str(uuid4()) for _ in range(count)]
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE auth.others (id uuid PRIMARY KEY, bytes bytea)")
        rows = [(id, Vault(OLD).seal(b"1", f"thing:{id}")) for id in ids]
        cursor.executemany("INSERT INTO auth.others VALUES (%s, %s)", rows)

    async def run() -> tuple[int, list[KeyUse]]:
        async with make_pool(database_url, PoolOptions(1, 2, 30.0, 5.0, 10)) as pool:
            sealed = SealedValues(Database(pool, lambda _: None), vault, [column])
            steps = [done.resealed async for done in sealed.reseal()]
            return steps[-1], await sealed.status()

    newest = KeyUse("others.bytes", vault.key_ids[0].hex(), "newest", count)
    assert asyncio.run(run()) == (count, [newest])


def test_everything_moves_to_the_new_key_once(things_url: str) -> None:
    old, vault = Vault(OLD), Vault(NEW, [OLD])
    count, sealed = BATCH * 2 + 7, {}
    wanted = {f"{n:04}": b"%d" % n for n in range(count)}
    for n, (id, plain) in enumerate(wanted.items()):
        purpose = f"thing:o{id}"
        sealed[id] = old.seal(plain, purpose) if n % 3 else version_1(OLD, plain, purpose)
    put(things_url, **sealed, null=None, new=vault.seal(b"new", "thing:onew"))

    unnamed = len(range(0, count, 3))
    by_state = {use.state: use for use in status(things_url, vault)}
    assert {state: use.count for state, use in by_state.items()} == {
        "former": count - unnamed, "unnamed": unnamed, "newest": 1,
    }  # fmt: skip
    assert by_state["former"].key == old.key_ids[0].hex()
    assert by_state["unnamed"].key is None

    assert reseal(things_url, vault) == Resealed(resealed=count)
    assert opened(things_url, NEW) == {**wanted, "new": b"new"}
    [use] = status(things_url, vault)
    assert use == KeyUse("sealed_things.bytes", vault.key_ids[0].hex(), "newest", count + 1)
    assert reseal(things_url, vault) == Resealed()


def test_broken_off_it_starts_where_it_ended(things_url: str) -> None:
    old, vault = Vault(OLD), Vault(NEW, [OLD])
    put(things_url, **{f"{n:04}": old.seal(b"x", f"thing:o{n:04}") for n in range(BATCH + 5)})

    async def one_batch() -> int:
        async with values(things_url, vault) as each:
            steps = each.reseal()
            done = (await anext(steps)).resealed
            await steps.aclose()
            return done

    assert asyncio.run(one_batch()) == BATCH
    assert reseal(things_url, vault).resealed == 5
    assert len(opened(things_url, NEW)) == BATCH + 5


def test_what_cannot_be_read_is_counted_named_and_left(things_url: str) -> None:
    vault = Vault(NEW, [OLD])
    lost = Vault(LOST).seal(b"x", "thing:olost")
    old = Vault(OLD)
    put(things_url, lost=lost, moved=old.seal(b"x", "thing:another"), old=old.seal(b"x", "thing:oold"))
    done = reseal(things_url, vault)
    assert (done.resealed, done.unreadable) == (1, 2)
    assert done.unreadable_ids == ["sealed_things.bytes lost", "sealed_things.bytes moved"]
    assert {use.state for use in status(things_url, vault)} == {"newest", "former", "unknown"}
    with psycopg.connect(things_url) as connection:
        [(kept,)] = connection.execute("SELECT bytes FROM sealed_things WHERE id = 'lost'").fetchall()
    assert kept == lost


def test_what_others_write_meanwhile_is_not_undone(things_url: str) -> None:
    """Between the reading of a value and its writing, someone stores another one."""
    old, vault = Vault(OLD), Vault(NEW, [OLD])
    put(things_url, a=old.seal(b"before", "thing:oa"))
    after = old.seal(b"after", "thing:oa")

    class Slow(Vault):
        def reseal(self, sealed: bytes, purpose: str) -> bytes:
            with psycopg.connect(things_url) as connection:
                connection.execute("UPDATE sealed_things SET bytes = %s", (after,))
            return super().reseal(sealed, purpose)

    assert reseal(things_url, Slow(NEW, [OLD])).resealed == 0
    assert opened(things_url, OLD) == {"a": b"after"}
    assert reseal(things_url, vault).resealed == 1
    assert opened(things_url, NEW) == {"a": b"after"}
