"""What a database that does not do what it was asked is said to be, with real servers that say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.kernel.ids import new_id
from ogel.runtime.database.check import check_writes
from ogel.runtime.database.database import Database, DatabaseAway, TookTooLong
from ogel.runtime.database.faults import (
    DatabaseDiskFull,
    DatabaseLocked,
    DatabaseOutOfConnections,
    DatabaseOutOfMemory,
    DatabaseReadOnly,
    DatabaseStarting,
    fault_of,
)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    async with make_pool(url, PoolOptions(1, 2, 30, 0.5, 10)) as pool:
        yield Database(pool, lambda _: None)


async def fault(database: Database, *statements: bytes) -> DatabaseAway:
    with pytest.raises(DatabaseAway) as raised:
        async with database.transaction() as tx:
            for statement in statements:
                await tx.execute(statement)
    assert raised.value.status == 503
    assert raised.value.retry_after_seconds
    return raised.value


@pytest.mark.parametrize(
    ("state", "words", "kind"),
    [
        ("53100", "as if", DatabaseDiskFull),
        ("53200", "as if", DatabaseOutOfMemory),
        ("53300", "as if", DatabaseOutOfConnections),
        ("25006", "as if", DatabaseReadOnly),
        ("57P01", "as if", DatabaseStarting),
        ("57P03", "as if", DatabaseStarting),
        ("55P03", "as if", DatabaseLocked),
        ("57014", "as if", TookTooLong),
        ("53400", "as if", DatabaseAway),
        ("58030", "as if", DatabaseAway),
        ("40001", "as if", DatabaseAway),
        ("XX000", "could not write: Disk quota exceeded", DatabaseDiskFull),
        ("42501", "could not open file: Read-only file system", DatabaseReadOnly),
    ],
)
def test_a_state_is_called_by_its_name(
    empty_database_url: str, state: str, words: str, kind: type[DatabaseAway]
) -> None:
    async def story() -> None:
        async with opened(empty_database_url) as database:
            raising = f"DO $$ BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = '{state}'; END $$"
            assert type(await fault(database, raising.encode())) is kind

    asyncio.run(story())


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("the database system is starting up", DatabaseStarting),
        ("the database system is not yet accepting connections", DatabaseStarting),
        ("the database system is in recovery mode", DatabaseStarting),
        ("sorry, too many clients already", DatabaseOutOfConnections),
        ("remaining connection slots are reserved for roles with the SUPERUSER attribute", DatabaseOutOfConnections),
        ("no more connections allowed (max_client_conn)", DatabaseOutOfConnections),
        ("Max client connections reached", DatabaseOutOfConnections),
        ("MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size",
         DatabaseOutOfConnections),
        ('could not write lock file "postmaster.pid": No space left on device', DatabaseDiskFull),
        ("connection refused", DatabaseAway),
    ],
)  # fmt: skip
def test_a_refused_connection_is_known_by_its_words(words: str, kind: type[DatabaseAway]) -> None:
    assert type(fault_of(psycopg.OperationalError(f"connection failed: FATAL:  {words}"))) is kind


def test_what_was_asked_for_is_not_the_databases_fault() -> None:
    assert fault_of(psycopg.errors.UniqueViolation("duplicate key")) is None
    assert fault_of(psycopg.ProgrammingError("too few arguments")) is None


def test_what_takes_too_long_says_whether_it_was_held_up(empty_database_url: str) -> None:
    async def story() -> None:
        async with opened(empty_database_url) as database:
            async with database.autocommit() as tx:
                await tx.execute(b"CREATE SCHEMA ogel")
                await tx.execute(b"CREATE TABLE held (n int)")
            with psycopg.connect(empty_database_url) as other:
                other.execute("LOCK TABLE ogel.held")
                await_lock = b"SET LOCAL lock_timeout = '50ms'", b"INSERT INTO held VALUES (1)"
                assert type(await fault(database, *await_lock)) is DatabaseLocked
            slow = b"SET LOCAL statement_timeout = '50ms'", b"SELECT pg_sleep(5)"
            assert type(await fault(database, *slow)) is TookTooLong

    asyncio.run(story())


def test_a_read_only_database_answers_and_takes_no_writes(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute("CREATE SCHEMA ogel CREATE TABLE trial (n int)")
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))

    async def story() -> None:
        async with opened(empty_database_url) as database:
            assert type(await fault(database, b"INSERT INTO trial VALUES (1)")) is DatabaseReadOnly
            with pytest.raises(DatabaseReadOnly):
                await check_writes(database)

    asyncio.run(story())


def test_a_pool_that_gets_no_connection_says_why(empty_database_url: str) -> None:
    role = new_id("few").lower()
    parts = urlsplit(empty_database_url)
    url = urlunsplit(parts._replace(netloc=f"{role}:few@{parts.netloc.rpartition('@')[2]}"))
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        name = sql.Identifier(role)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'few' CONNECTION LIMIT 1").format(name))

    async def story() -> None:
        async with opened(url) as database:
            async with database.autocommit():
                with pytest.raises(DatabaseOutOfConnections):
                    await check_writes(database)
            await check_writes(database)

    try:
        asyncio.run(story())
    finally:
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_a_database_that_works_passes(empty_database_url: str) -> None:
    async def story() -> None:
        async with opened(empty_database_url) as database:
            await check_writes(database)
            async with database.autocommit() as tx:
                assert await tx.value(b"SELECT current_setting('work_mem')") != "64kB"

    asyncio.run(story())
