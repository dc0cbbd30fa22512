"""
Migrations: the plain SQL files of sql/migrations, in order, under one advisory lock.

Each is one transaction, save a file that begins with `-- outside a transaction`, for CREATE INDEX CONCURRENTLY and the
like. Of such a file every line that ends in a semicolon ends a statement, and every statement must be safe to repeat:
broken off, the file is begun again. A concurrent build that was broken off leaves an invalid index, so drop it first.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import structlog
from psycopg import AsyncConnection

from ogel.kernel.errors import ConfigError

log = structlog.get_logger(__name__)

_FILE_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_LOCK = 0x6F67656C  # "ogel"
_OUTSIDE = b"-- outside a transaction"
_STATEMENT_END = re.compile(rb"(?<=;)[ \t]*$", re.MULTILINE)
_CONCURRENT = re.compile(rb"\bCONCURRENTLY\b")
# A concurrent build waits for every transaction older than itself, and holds up no one meanwhile.
_PATIENTLY = "SET lock_timeout = '15min'"
_SESSION = {
    "autocommit": True,
    "connect_timeout": 5,
    "application_name": "ogel-migrate",
    # A migration that cannot get its lock must not queue everyone else behind it.
    "options": "-c lock_timeout=10s -c statement_timeout=0",
}
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
    def checksum(self) -> str:
        return hashlib.sha256(self.sql).hexdigest()

    @property
    def is_outside_transaction(self) -> bool:
        return self.sql.startswith(_OUTSIDE)

    @property
    def statements(self) -> list[bytes]:
        parts = [part.strip() for part in _STATEMENT_END.split(self.sql)]
        return [part for part in parts if part.endswith(b";")]


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
    async with await AsyncConnection.connect(url, **_SESSION) as connection:  # type: ignore[arg-type]
        await _lock(connection, lock_seconds)
        try:
            await connection.execute(_CREATE_LOG)
            missing = await _missing(connection, migrations)
            for migration in missing:
                if migration.is_outside_transaction:
                    await _apply_outside(connection, migration)
                else:
                    async with connection.transaction():
                        await connection.execute(migration.sql)
                        await _record(connection, migration)
                log.info("migration.applied", migration=migration.name)
            return missing
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


async def _apply_outside(connection: AsyncConnection[tuple[object, ...]], migration: Migration) -> None:
    for statement in migration.statements:
        await connection.execute(_PATIENTLY if _CONCURRENT.search(statement) else "RESET lock_timeout")
        await connection.execute(statement)
    await connection.execute("RESET lock_timeout")
    await _record(connection, migration)


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
        async with await AsyncConnection.connect(url, **_SESSION) as connection:  # type: ignore[arg-type]
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
