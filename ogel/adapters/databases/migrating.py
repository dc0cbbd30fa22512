"""Migrates PostgreSQL databases of users: in order, under an advisory lock, logged in the database itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier

from ogel.adapters.databases.connecting import MESSAGE_LENGTH, connected, one_line
from ogel.runtime.database.database import Queries
from ogel.runtime.database.registered import Applied, NextFile, SqlError, Target, TargetError
from ogel.runtime.database.sqlfile import OwnTransaction, SqlFile

_SQL = Queries.beside(__name__)

LOG = "ogel_migrations"
_LOCK = 0x6F67656C_6462  # "ogeldb"; another one than of Ogel's own migrations
# A statement may take long, but one that waits for a lock must not make everyone else queue behind it. Keep-alives let
# both sides notice that the other is gone.
_SESSION = (
    "lock_timeout=10s",
    "statement_timeout=0",
    "tcp_keepalives_idle=10",
    "tcp_keepalives_interval=5",
    "tcp_keepalives_count=3",
)
_READ_ONLY = ("default_transaction_read_only=on", "statement_timeout=5s", "lock_timeout=2s")
# SQLSTATEs that are not the statement's fault: connection lost, out of memory or disk, shutdown, deadlock, lock
# timeout.
_AGAIN = ("08", "40", "53", "57P", "58", "55P03", "25P03")

Connection = AsyncConnection[Any]


async def applied(target: Target, addresses: Sequence[str]) -> Sequence[Applied]:
    """Raises TargetError."""
    async with connected(target, addresses, _READ_ONLY) as connection:
        schema = await _value(connection, _SQL.find_log)
        return [] if schema is None else await _read(connection, Identifier(schema, LOG))


async def migrate(target: Target, addresses: Sequence[str], next_file: NextFile) -> None:
    """Raises TargetError, SqlError."""
    async with connected(target, addresses, _SESSION) as connection:
        # A session lock: it ends with the connection, however that ends.
        if not await _value(connection, _SQL.try_lock, {"key": _LOCK}):
            raise TargetError("another session is migrating this database")
        log = await _log_of(connection)
        while (file := await next_file(await _read(connection, log))) is not None:
            await connection.execute(_SQL.outlive_nobody)
            await _apply(target, connection, log, file)


async def _apply(target: Target, connection: Connection, log: Identifier, file: SqlFile) -> None:
    begin = 0

    def begins(byte: int) -> None:
        nonlocal begin
        begin = byte

    async def record() -> None:
        # Resets role and settings that a file may have changed, so that every file starts alike.
        await connection.execute("RESET SESSION AUTHORIZATION")
        await connection.execute("RESET ALL")
        row = {"name": file.name, "checksum": file.checksum}
        await connection.execute(_with_log(_SQL.write_log, log), row)

    try:
        await file.apply(connection, record, begins)
    except OwnTransaction as error:
        raise SqlError(str(error)) from None
    except psycopg.Error as error:
        if _is_passing(error):
            raise
        raise _told(target, file, begin, error) from None


def _is_passing(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_AGAIN)


def _told(target: Target, file: SqlFile, begin: int, error: psycopg.Error) -> SqlError:
    diag = error.diag
    said = [diag.message_primary or str(error), diag.message_detail, diag.message_hint]
    message = one_line(target, ". ".join(each.rstrip(".") for each in said if each))[:MESSAGE_LENGTH]
    if diag.statement_position is None:
        # If a text has several statements, the server names the position in the failing one, or none.
        return SqlError(message, error.sqlstate)
    before = len(file.sql[:begin].decode())
    position = before + int(diag.statement_position)
    line = file.sql.decode()[: position - 1].count("\n") + 1
    return SqlError(message, error.sqlstate, line, position)


async def _log_of(connection: Connection) -> Identifier:
    """Qualifies the log table with its schema, because a file may change the search path."""
    schema = await _value(connection, _SQL.find_log)
    if schema is None:
        schema = await _value(connection, _SQL.current_schema)
        if schema is None:
            raise TargetError(f"no schema of the search path is there to hold {LOG}", final=True)
        await connection.execute(_with_log(_SQL.create_log, Identifier(schema, LOG)))
    return Identifier(schema, LOG)


async def _read(connection: Connection, log: Identifier) -> list[Applied]:
    rows = await (await connection.execute(_with_log(_SQL.read_log, log))).fetchall()
    return [Applied(*row) for row in rows]


async def _value(connection: Connection, query: bytes, parameters: dict[str, Any] | None = None) -> Any:
    row = await (await connection.execute(query, parameters)).fetchone()
    return row[0] if row else None


def _with_log(query: bytes, log: Identifier) -> Composed:
    return SQL(query.decode()).format(log=log)
