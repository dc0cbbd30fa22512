"""
Migrations: the plain SQL files of sql/migrations, in the order of their names, under one advisory lock.

They are named by the minute they were written in; the oldest have numbers. One that lands late is applied after those
that were written later and landed before it: so each file names what it needs, and works without the others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import structlog
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from ogel.kernel.errors import ConfigError
from ogel.runtime.database.database import Row, Transaction
from ogel.runtime.database.schemas import OWN, SEARCH_PATH
from ogel.runtime.database.sqlfile import OwnTransaction, SqlFile

log = structlog.get_logger(__name__)

# In a checkout; an installed image says where they are instead.
MIGRATIONS = Path(__file__).parents[2] / "sql" / "migrations"
_FILE_NAME = re.compile(r"^(\d{4}|\d{12})_[a-z0-9_]+\.sql$")
_NEEDS = re.compile(rb"^-- needs: (.+)$", re.MULTILINE)
_NUMBERED_BELOW = 10_000
_LOCK = 0x6F67656C  # "ogel"
_SESSION: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 5,
    "application_name": "ogel-migrate",
}
# A migration that cannot get its lock must not queue everyone else behind it.
_OPTIONS = "-c lock_timeout=10s -c statement_timeout=0"
_LATER, _NOW = "SET synchronous_commit = off", "RESET synchronous_commit"
# How long a migration that cannot get its locks is retried, and the pause between two tries.
LOCKS_SECONDS, _LOCKS_PAUSE_SECONDS = 60.0, 1.0

_CREATE_SCHEMA = f"CREATE SCHEMA {OWN}"
_CREATE_LOG = f"""
CREATE TABLE IF NOT EXISTS {OWN}.schema_migrations (
  version     bigint PRIMARY KEY,
  name        text NOT NULL,
  checksum    text NOT NULL,
  applied_at  timestamptz NOT NULL DEFAULT now()
)
"""
# Not with to_regclass, which fails when we may not use the schema.
_HOME = """
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %(own)s),
       EXISTS (SELECT FROM pg_class WHERE relname = 'schema_migrations' AND relnamespace = (
         SELECT oid FROM pg_namespace WHERE nspname = %(own)s
       )),
       coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %(own)s), true)
"""
# The log of a version that kept its tables wherever search_path led, mostly in `public`. Other programs also have a
# table of that name.
_FORMER_HOME = """
SELECT quote_ident(n.nspname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = 'schema_migrations' AND c.relkind = 'r' AND (pg_table_is_visible(c.oid) OR n.nspname = 'public')
  AND (SELECT count(*) FROM pg_attribute AS a
       WHERE a.attrelid = c.oid AND a.attname IN ('version', 'name', 'checksum', 'applied_at')) = 4
  AND EXISTS (SELECT FROM pg_class AS o WHERE o.relname = 'job_queue' AND o.relnamespace = n.oid)
ORDER BY pg_table_is_visible(c.oid) DESC LIMIT 1
"""
_GO_TO = "SELECT set_config('search_path', %s, false)"
_APPLIED = "SELECT version, checksum FROM schema_migrations"
_IN_ORDER = b"SELECT name, applied_at FROM schema_migrations ORDER BY applied_at, version"
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name ~ '^ogel( |$)' AND pid <> pg_backend_pid()
"""

Connection = AsyncConnection[tuple[Any, ...]]


class Migration(Struct, frozen=True):
    version: int
    name: str
    sql: bytes

    @property
    def file(self) -> SqlFile:
        return SqlFile(self.name, self.sql)

    @property
    def checksum(self) -> str:
        return self.file.checksum

    @property
    def needs(self) -> list[str]:
        """The migrations it depends on, besides the numbered ones."""
        return [name.strip().decode() for match in _NEEDS.findall(self.sql) for name in match.split(b",")]


def read_migrations(directory: Path) -> list[Migration]:
    """
    Returns migrations in order. Raises ConfigError for a missing directory, an invalid name, a gap, or a dependency
    that comes later.
    """
    if not directory.is_dir():
        raise ConfigError(f"no migrations at {directory}; the image or checkout must hold sql/migrations")
    migrations: list[Migration] = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise ConfigError(f"{path.name} is no migration name; it takes 202611281830_what_and_why.sql")
        migration = Migration(int(match[1]), path.stem, path.read_bytes())
        if strangers := set(migration.needs) - {each.name for each in migrations}:
            raise ConfigError(f"{path.name} needs {min(strangers)}, which is not there or was written later")
        migrations.append(migration)
    versions = [each.version for each in migrations]
    numbered = [version for version in versions if version < _NUMBERED_BELOW]
    if numbered != list(range(1, len(numbered) + 1)) or len(set(versions)) < len(versions):
        raise ConfigError(f"of the migrations in {directory} one is missing, or two have the same number")
    return migrations


async def migrate(url: str, migrations: Sequence[Migration], lock_seconds: float = 300.0) -> list[Migration]:
    """
    Applies missing migrations and returns them. Any number of processes may run it at once. Raises ConfigError for what
    an operator can repair: a missing grant, a table that stays locked, a migration that was changed.
    """
    async with await _connected(url) as connection:
        await _lock(connection, lock_seconds)
        try:
            home = await _enter(connection)
            missing = await _missing(connection, migrations)
            if home != OWN:
                _refuse_to_stay(home, migrations)
                await _warn_others(connection)
            for migration in missing:
                # Flushed with the last one: what comes later in the log is on disk only with all before it.
                await connection.execute(_LATER if migration is not missing[-1] else _NOW)
                await _apply(connection, migration)
                log.info("migration.applied", migration=migration.name)
                if home != OWN:
                    home = await _enter(connection)
            return missing
        finally:
            await connection.execute(_NOW)
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


async def _enter(connection: Connection) -> str:
    """
    The schema that migrations work in: where the log of those that were applied is, or `ogel`, with a new one.
    Raises ConfigError where we may not make it.
    """
    is_made, has_log, _ = await _row(connection, _HOME)
    home = OWN
    if not has_log:
        former = await (await connection.execute(_FORMER_HOME)).fetchone()
        if former is not None:
            home = former[0]
        else:
            try:
                if not is_made:
                    await connection.execute(_CREATE_SCHEMA)
                await connection.execute(_CREATE_LOG)
            except psycopg.errors.InsufficientPrivilege as error:
                raise _forbidden(connection, error) from None
    await connection.execute(_GO_TO, (SEARCH_PATH if home == OWN else home,))
    return home


def _refuse_to_stay(home: str, migrations: Sequence[Migration]) -> None:
    """Nothing of this version finds tables elsewhere: a restore that begins with the schema before would fill none."""
    if all(migration.version < _NUMBERED_BELOW for migration in migrations):
        raise ConfigError(
            f"{home} has the tables of the version before: run `ogel migrate`, or take another database"
        )


async def _apply(connection: Connection, migration: Migration) -> None:
    """
    Applies one migration. It is retried for a while when it cannot get its locks, since their holders may finish soon.
    """
    deadline = asyncio.get_running_loop().time() + LOCKS_SECONDS
    said = False
    while True:
        try:
            await migration.file.apply(connection, partial(_record, connection, migration))
            return
        except OwnTransaction as error:
            raise ConfigError(f"{migration.name}: {error}") from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise _forbidden(connection, error) from None
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise ConfigError(
                    f"{migration.name} did not get its locks within {LOCKS_SECONDS:g} s ({_first_line(error)}): end"
                    " what holds them, a backup or a long transaction, and start again"
                ) from error
            if not said:
                log.info("migration.waits_for_locks", migration=migration.name, error=_first_line(error))
                said = True
        await asyncio.sleep(_LOCKS_PAUSE_SECONDS)


async def _record(connection: Connection, migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        (migration.version, migration.name, migration.checksum),
    )


async def _warn_others(connection: Connection) -> None:
    """They do not say so themselves: they were written before."""
    [connections] = await _row(connection, _OTHERS)
    if connections:
        log.warning(
            "migration.others_at_work",
            connections=connections,
            detail="processes of the version before find no table once they are moved, and fail until they are"
            " replaced; jobs they hold are taken over when their leases end",
        )


def _forbidden(connection: Connection, error: psycopg.Error) -> ConfigError:
    user, database = connection.info.user, connection.info.dbname
    return ConfigError(
        f"{_first_line(error)}: as the owner, GRANT CREATE ON DATABASE {database} TO {user}; or"
        f" CREATE SCHEMA {OWN} AUTHORIZATION {user}, and give it tables of the version before that are not its own"
        " (ALTER TABLE … OWNER TO)"
    )


async def wait_for_schema(url: str, migrations: Sequence[Migration], seconds: float) -> None:
    """Returns once all migrations are applied (by whoever does); raises ConfigError when they are not in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    said = False
    while True:
        async with await _connected(url) as connection:
            _, has_log, may_enter = await _row(connection, _HOME)
            if not may_enter:
                raise ConfigError(
                    f"the schema {OWN} is closed to {connection.info.user}: GRANT USAGE ON SCHEMA {OWN} TO"
                    f" {connection.info.user}"
                )
            await connection.execute(_GO_TO, (SEARCH_PATH,))
            missing = await _missing(connection, migrations) if has_log else list(migrations)
        if not missing:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise ConfigError(f"the database lacks {missing[-1].name}; run `ogel migrate`")
        if not said:
            log.info("schema.waiting", needs=missing[-1].name, seconds=seconds)
            said = True
        await asyncio.sleep(0.25)


async def applied_migrations(tx: Transaction, row: type[Row]) -> list[Row]:
    """`name` and `applied_at` of each, in the order in which they were applied."""
    return await tx.all(_IN_ORDER, None, row)


async def _connected(url: str) -> Connection:
    """Connects with our options and those in the URL."""
    options = f"{conninfo_to_dict(url).get('options', '')} {_OPTIONS}"
    return await AsyncConnection.connect(url, **_SESSION, options=options)


async def _lock(connection: Connection, seconds: float) -> None:
    # pg_try_…: a blocked pg_advisory_lock would end with lock_timeout, and its holder may rightly take minutes.
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))).fetchone()
        if row is not None and row[0]:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise ConfigError(f"another process has been migrating this database for {seconds:g} s")
        await asyncio.sleep(0.2)


async def _row(connection: Connection, query: str) -> tuple[Any, ...]:
    row = await (await connection.execute(query, {"own": OWN})).fetchone()
    assert row is not None
    return row


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0]


async def _missing(connection: Connection, migrations: Sequence[Migration]) -> list[Migration]:
    rows = await (await connection.execute(_APPLIED)).fetchall()
    applied = {row[0]: row[1] for row in rows}
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise ConfigError(
                f"{migration.name} was changed after it was applied; restore it and add a new one"
            )
    return [m for m in migrations if m.version not in applied]
