"""Migrations: the plain SQL files of sql/migrations, in order, under one advisory lock."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from ogel.kernel.errors import ConfigError
from ogel.runtime.database.sqlfile import OwnTransaction, SqlFile

log = structlog.get_logger(__name__)

_FILE_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_LOCK = 0x6F67656C  # "ogel"
_SESSION: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 5,
    "application_name": "ogel-migrate",
}
# A migration that cannot get its lock must not queue everyone else behind it.
_OPTIONS = "-c lock_timeout=10s -c statement_timeout=0"
_LATER, _NOW = "SET synchronous_commit = off", "RESET synchronous_commit"
_CREATE_LOG = """
CREATE TABLE IF NOT EXISTS schema_migrations (
  version     integer PRIMARY KEY,
  name        text NOT NULL,
  checksum    text NOT NULL,
  applied_at  timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: bytes

    @property
    def file(self) -> SqlFile:
        return SqlFile(self.name, self.sql)

    @property
    def checksum(self) -> str:
        return self.file.checksum


def read_migrations(directory: Path) -> list[Migration]:
    """In order. Raises ConfigError for a missing directory, a wrong file name or a gap."""
    if not directory.is_dir():
        raise ConfigError(f"no migrations at {directory}; the image or checkout must hold sql/migrations")
    migrations = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise ConfigError(f"{path.name} is no migration name; it takes 0001_what_and_why.sql")
        migrations.append(Migration(int(match[1]), path.stem, path.read_bytes()))
    if [m.version for m in migrations] != list(range(1, len(migrations) + 1)):
        raise ConfigError(f"migrations in {directory} are not numbered 0001, 0002, … without gap or double")
    return migrations


async def migrate(url: str, migrations: Sequence[Migration], lock_seconds: float = 300.0) -> list[Migration]:
    """Applies what is missing and returns it. Safe to run from any number of processes at once."""
    async with await _connected(url) as connection:
        await _lock(connection, lock_seconds)
        try:
            await connection.execute(_CREATE_LOG)
            missing = await _missing(connection, migrations)
            for migration in missing:
                # Flushed with the last one: what comes later in the log is on disk only with all before it.
                await connection.execute(_LATER if migration is not missing[-1] else _NOW)
                try:
                    await migration.file.apply(connection, partial(_record, connection, migration))
                except OwnTransaction as error:
                    raise ConfigError(f"{migration.name}: {error}") from None
                log.info("migration.applied", migration=migration.name)
            return missing
        finally:
            await connection.execute(_NOW)
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


async def _record(connection: AsyncConnection[tuple[object, ...]], migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        (migration.version, migration.name, migration.checksum),
    )


async def wait_for_schema(url: str, migrations: Sequence[Migration], seconds: float) -> None:
    """Returns once all migrations are applied (by whoever does); raises ConfigError when they are not in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    said = False
    while True:
        async with await _connected(url) as connection:
            try:
                missing = await _missing(connection, migrations)
            except psycopg.errors.UndefinedTable:
                missing = list(migrations)
        if not missing:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise ConfigError(f"the database lacks {missing[-1].name}; run `ogel migrate`")
        if not said:
            log.info("schema.waiting", needs=missing[-1].name, seconds=seconds)
            said = True
        await asyncio.sleep(0.25)


async def _connected(url: str) -> AsyncConnection[tuple[object, ...]]:
    """What the URL itself tells the server counts, too."""
    options = f"{conninfo_to_dict(url).get('options', '')} {_OPTIONS}"
    return await AsyncConnection.connect(url, **_SESSION, options=options)


async def _lock(connection: AsyncConnection[tuple[object, ...]], seconds: float) -> None:
    # pg_try_…: a blocked pg_advisory_lock would end with lock_timeout, and its holder may rightly take minutes.
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))).fetchone()
        if row is not None and row[0]:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise ConfigError(f"another process has been migrating this database for {seconds:g} s")
        await asyncio.sleep(0.2)


async def _missing(
    connection: AsyncConnection[tuple[object, ...]], migrations: Sequence[Migration]
) -> list[Migration]:
    rows = await (await connection.execute("SELECT version, checksum FROM schema_migrations")).fetchall()
    applied = {row[0]: row[1] for row in rows}
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise ConfigError(
                f"{migration.name} was changed after it was applied; restore it and add a new one"
            )
    return [m for m in migrations if m.version not in applied]
