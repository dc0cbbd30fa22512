"""Checks a PostgreSQL database: whether it answers, its statistics, and its catalog."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from ogel.adapters.databases.connecting import connected, one_line
from ogel.runtime.database.database import Queries
from ogel.runtime.database.registered import Catalog, Seen, Target

_SQL = Queries.beside(__name__)

_READ_ONLY = ("default_transaction_read_only=on", "statement_timeout=5s", "lock_timeout=2s")
_ROWS = ("overview", "connections", "dead_rows")
_LISTS = ("largest_tables", "slowest_tables")


async def look(target: Target, addresses: Sequence[str]) -> Seen:
    """Raises TargetError. A database whose statistics may not be read is still reachable."""
    async with connected(target, addresses, _READ_ONLY) as connection:
        began = time.monotonic()
        await connection.execute("SELECT 1")
        latency = time.monotonic() - began
        version = connection.info.parameter_status("server_version") or "?"
        stats, stats_error = await _stats(target, connection)
        return Seen(latency, version, stats, stats_error)


async def catalog(
    target: Target, addresses: Sequence[str], what: Catalog, filters: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    """Raises TargetError."""
    async with connected(target, addresses, _READ_ONLY) as connection:
        return await _dicts(connection, getattr(_SQL, what), filters)


async def _stats(target: Target, connection: AsyncConnection[Any]) -> tuple[dict[str, Any], str | None]:
    stats: dict[str, Any] = {}
    failed = None
    for name in (*_ROWS, *_LISTS):
        try:
            rows = await _dicts(connection, getattr(_SQL, name), None)
        except psycopg.Error as error:
            if connection.closed:
                raise
            failed = failed or f"{name}: {one_line(target, str(error))}"
            continue
        if name in _LISTS:
            stats[name] = rows
        else:
            stats.update(rows[0])
    return stats, failed


async def _dicts(
    connection: AsyncConnection[Any], query: bytes, parameters: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query, parameters)).fetchall()
