"""How many rows a PostgreSQL database has in tables that are asked for, and when the last was written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from ogel.adapters.databases.connecting import connected
from ogel.adapters.databases.drivers import vetted
from ogel.runtime.database.database import Queries
from ogel.runtime.database.registered import Target, TargetError
from ogel.runtime.surveys import TableSeen, TableWanted

_SQL = Queries.beside(__name__)

SURVEY_SECONDS = 20.0
# From here on the planner's estimate has to do.
MAX_COUNTED = 100_000
_SESSION = ("default_transaction_read_only=on", "statement_timeout=3s", "lock_timeout=1s")


async def rows(target: Target, tables: Sequence[TableWanted]) -> Sequence[TableSeen]:
    """Raises TargetError."""
    try:
        async with asyncio.timeout(SURVEY_SECONDS):
            async with connected(target, await vetted(target), _SESSION) as connection:
                found = [await _table(connection, each) for each in tables]
    except TimeoutError:
        raise TargetError(f"it did not answer within {SURVEY_SECONDS:g} s") from None
    return [each for each in found if each is not None]


async def _table(connection: Any, wanted: TableWanted) -> TableSeen | None:
    asked = {"schema": wanted.schema, "name": wanted.name}
    found = await (await connection.execute(_SQL.find_table, asked)).fetchone()
    if found is None:
        return None
    estimate, columns = found
    table = Identifier(wanted.schema, wanted.name)
    newest = next((each for each in wanted.newest if each in columns), None)

    async def read(query: bytes, column: str | None = None) -> list[tuple[Any, ...]] | None:
        named = {"table": table} if column is None else {"table": table, "column": Identifier(column)}
        try:
            cursor = await connection.execute(SQL(query.decode()).format(**named), {"most": MAX_COUNTED})
            found: list[tuple[Any, ...]] = await cursor.fetchall()
        except psycopg.Error:
            # No right to read it, or not in time: what else there is may still be read.
            if connection.closed:
                raise
            return None
        return found

    counted = await read(_SQL.count_rows) if estimate is None or estimate <= MAX_COUNTED else None
    rows = counted[0][0] if counted else estimate
    latest = await read(_SQL.newest_row, newest) if newest and rows else None
    labels = await read(_SQL.labels, wanted.label) if wanted.label in columns and rows else None
    return TableSeen(
        wanted.schema,
        wanted.name,
        rows,
        counted is not None and rows <= MAX_COUNTED,
        newest=_utc(latest[0][0]) if latest else None,
        labels=[str(each) for (each,) in labels or ()],
    )


def _utc(value: object) -> datetime | None:
    """Some of these tables have times without a zone, which are UTC."""
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
