"""Transactions: all or nothing, pipelined, and bells only after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from ogel.adapters.migrations import Migration, migrate, read_migrations, wait_for_schema
from ogel.adapters.postgres import PoolOptions, make_pool, wait_for_postgres
from ogel.kernel.errors import ConfigError
from ogel.runtime.database.database import Database, DatabaseAway, Queries
from tests.conftest import MIGRATIONS


@asynccontextmanager
async def opened(url: str, rung: list[set[str]], most: int = 2) -> AsyncIterator[Database]:
    pool = make_pool(url, PoolOptions(1, most, 30, 0.3, 10))
    await pool.open()
    database = Database(pool, rung.append)
    async with database.autocommit() as tx:
        await tx.execute(b"CREATE SCHEMA IF NOT EXISTS ogel")
        await tx.execute(b"CREATE TABLE trial (n int PRIMARY KEY)")
    try:
        yield database
    finally:
        await pool.close()


async def numbers(database: Database) -> list[int]:
    async with database.autocommit() as tx:
        return [n for (n,) in await tx.tuples(b"SELECT n FROM trial ORDER BY n")]


def test_bells_ring_after_the_commit_and_only_then(empty_database_url: str) -> None:
    async def story() -> None:
        rung: list[set[str]] = []
        async with opened(empty_database_url, rung) as database:
            async with database.transaction() as tx:
                await tx.execute(b"INSERT INTO trial VALUES (1)")
                tx.ring("a")
                tx.ring("a")
                assert rung == []
            assert rung == [{"a"}]
            with pytest.raises(RuntimeError):
                async with database.transaction() as tx:
                    await tx.execute(b"INSERT INTO trial VALUES (2)")
                    tx.ring("b")
                    raise RuntimeError
            assert rung == [{"a"}]
            assert await numbers(database) == [1]

    asyncio.run(story())


def test_an_error_nobody_waited_for_ends_the_transaction(empty_database_url: str) -> None:
    async def story() -> None:
        rung: list[set[str]] = []
        async with opened(empty_database_url, rung, most=1) as database:
            with pytest.raises(psycopg.errors.DivisionByZero):
                async with database.transaction() as tx:
                    await tx.execute(b"INSERT INTO trial VALUES (1)")
                    await tx.execute(b"SELECT 1 / 0")
                    tx.ring("a")
            with pytest.raises(psycopg.errors.UniqueViolation):
                async with database.transaction() as tx:
                    await tx.execute(b"INSERT INTO trial VALUES (2), (2)")
                    await tx.value(b"SELECT 1")
            assert rung == []
            # The one connection there is must have come back clean.
            async with database.transaction() as tx:
                await tx.execute(b"INSERT INTO trial VALUES (3)")
            assert await numbers(database) == [3]

    asyncio.run(story())


def test_a_cancelled_transaction_leaves_nothing(empty_database_url: str) -> None:
    async def story() -> None:
        async with opened(empty_database_url, [], most=1) as database:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2), database.transaction() as tx:
                    await tx.execute(b"INSERT INTO trial VALUES (1)")
                    await tx.value(b"SELECT pg_sleep(30)")
            assert await numbers(database) == []

    asyncio.run(story())


def test_a_full_pool_refuses_instead_of_waiting_for_ever(empty_database_url: str) -> None:
    async def story() -> None:
        async with (
            opened(empty_database_url, [], most=2) as database,
            database.autocommit(),
            database.autocommit(),
        ):
            with pytest.raises(DatabaseAway):
                async with database.autocommit():
                    pass

    asyncio.run(story())


def test_queries_are_found_by_name() -> None:
    queries = Queries.beside("ogel.runtime.outbox")
    assert b"INSERT INTO" in queries.insert_events
    with pytest.raises(AttributeError, match="no_such_query"):
        _ = queries.no_such_query


def test_migrations_are_applied_once_by_whoever_comes_first(empty_database_url: str) -> None:
    async def story() -> None:
        migrations = read_migrations(MIGRATIONS)
        applied = await asyncio.gather(*(migrate(empty_database_url, migrations) for _ in range(4)))
        assert sorted(len(each) for each in applied) == [0, 0, 0, len(migrations)]
        await wait_for_schema(empty_database_url, migrations, seconds=0)

    asyncio.run(story())


def test_the_disk_is_waited_for_once(empty_database_url: str) -> None:
    note = (
        b"CREATE TABLE IF NOT EXISTS noted AS SELECT current_setting('synchronous_commit') AS at WHERE false;"
    )
    note += b"INSERT INTO noted SELECT current_setting('synchronous_commit')"
    migrations = [Migration(n, f"000{n}_note", note) for n in (1, 2, 3)]

    async def story() -> None:
        await migrate(empty_database_url, migrations)
        later = Migration(4, "0004_note", note)
        await migrate(empty_database_url, [*migrations, later])
        with psycopg.connect(empty_database_url) as connection:
            noted = [at for (at,) in connection.execute("SELECT at FROM noted").fetchall()]
        assert noted == ["off", "off", "on", "on"]

    asyncio.run(story())


def test_a_migration_that_fails_leaves_nothing_of_itself(empty_database_url: str) -> None:
    async def story() -> None:
        good = Migration(1, "0001_good", b"CREATE TABLE good (n int)")
        bad = Migration(2, "0002_bad", b"CREATE TABLE half (n int); SELECT 1 / 0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await migrate(empty_database_url, [good, bad])
        with psycopg.connect(empty_database_url) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'ogel'"
            ).fetchall()
        assert sorted(name for (name,) in tables) == ["good", "schema_migrations"]
        assert await migrate(empty_database_url, [good]) == []

    asyncio.run(story())


def test_a_migration_outside_a_transaction_is_begun_again_when_it_broke(empty_database_url: str) -> None:
    url = empty_database_url
    index = b"DROP INDEX CONCURRENTLY IF EXISTS a_n;\nCREATE INDEX CONCURRENTLY a_n ON a (n);\n"
    table = Migration(1, "0001_a", b"CREATE TABLE a (n int)")
    broken = Migration(2, "0002_b", b"-- outside a transaction\n" + index + b"SELECT nothing\nFROM a;\n")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        asyncio.run(migrate(url, [table, broken]))
    mended = Migration(2, "0002_b", b"-- outside a transaction\n" + index + b"SELECT n\nFROM a;\n")
    assert asyncio.run(migrate(url, [table, mended])) == [mended]
    assert asyncio.run(migrate(url, [table, mended])) == []
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_n'::regclass"
        ).fetchall()
    assert found == [(True,)]


@pytest.mark.parametrize(
    "sql", [b"begin; commit; begin;", b"ROLLBACK AND CHAIN", b"-- outside a transaction\nBEGIN;\n"]
)
def test_a_migration_with_a_transaction_of_its_own_is_refused(empty_database_url: str, sql: bytes) -> None:
    with pytest.raises(ConfigError, match=r"0001_own: the file .* transaction"):
        asyncio.run(migrate(empty_database_url, [Migration(1, "0001_own", sql)]))
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT * FROM schema_migrations").fetchall() == []


def test_a_changed_migration_is_refused(empty_database_url: str) -> None:
    async def story() -> None:
        await migrate(empty_database_url, [Migration(1, "0001_first", b"SELECT 1")])
        with pytest.raises(ConfigError, match="0001_first was changed"):
            await migrate(empty_database_url, [Migration(1, "0001_first", b"SELECT 2")])

    asyncio.run(story())


def test_a_process_waits_for_the_schema_it_needs_and_says_what_is_missing(empty_database_url: str) -> None:
    async def story() -> None:
        migrations = [Migration(1, "0001_first", b"SELECT 1")]
        with pytest.raises(ConfigError, match="lacks 0001_first; run `ogel migrate`"):
            await wait_for_schema(empty_database_url, migrations, seconds=0)
        waiting = asyncio.create_task(wait_for_schema(empty_database_url, migrations, seconds=10))
        await migrate(empty_database_url, migrations)
        await waiting

    asyncio.run(story())


def test_a_server_that_is_not_there_is_an_error_in_time() -> None:
    async def story() -> None:
        with pytest.raises(ConfigError, match=r"DATABASE_URL: .*refused"):
            await wait_for_postgres("postgresql://nobody@127.0.0.1:1/nothing", seconds=0.2)

    asyncio.run(story())


def test_keys_that_could_write_keep_reading(empty_database_url: str) -> None:
    """Since then a scope allows what it says, and no more."""
    migrations = read_migrations(MIGRATIONS)
    [says] = [each for each in migrations if each.name.endswith("_say_that_writing_keys_read")]
    before = {
        "a": ["events:write", "mail:*"],
        "b": ["events:read", "events:write"],
        "c": ["*"],
        "d": ["stats:read"],
    }
    insert = "INSERT INTO api_keys (id, name, key_hash, hint, scopes) VALUES (%s, '', %s, '', %s)"
    asyncio.run(migrate(empty_database_url, migrations[: says.version - 1]))
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for id, scopes in before.items():
            connection.execute(insert, [id, id.encode(), scopes])
        asyncio.run(migrate(empty_database_url, migrations))
        after = dict(connection.execute("SELECT id, scopes FROM api_keys").fetchall())
    assert after == {**before, "a": ["events:read", "events:write", "mail:*"]}


def test_what_a_url_tells_libpq_counts(empty_database_url: str) -> None:
    said = "application_name=mine&connect_timeout=3&options=-c%20geqo%3Doff"
    url = f"{empty_database_url}{'&' if '?' in empty_database_url else '?'}{said}"

    async def story() -> list[object]:
        await migrate(url, [])
        async with opened(url, []) as database, database.autocommit() as tx:
            names = ("geqo", "application_name", "statement_timeout", "jit")
            return [await tx.value(f"SHOW {name}".encode()) for name in names]

    assert asyncio.run(story()) == ["off", "mine", "30s", "off"]
