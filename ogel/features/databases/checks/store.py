"""The platform_database_health table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ogel.features.databases.registry.database import Stats
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)
# The size limit of a server's statistics, which are meant as a summary.
MOST_STATS_BYTES = 64 * 1024


class CheckFinding(Struct, frozen=True):
    """The result of one check. With `error` the database was not reached, and the other fields are unknown."""

    database_id: str
    version: int
    error: str | None = None
    latency_seconds: float | None = None
    server_version: str | None = None
    stats: dict[str, Any] | None = None
    stats_error: str | None = None


class NotedCheck(NamedTuple):
    """
    The recorded result of a check. `was` is the state before it, None for the first check; `was_since` is when that
    state began.
    """

    name: str
    failures: int
    was: str | None
    was_since: datetime | None


class Gauged(NamedTuple):
    name: str
    type: str
    state: str | None
    latency_seconds: float | None
    size_bytes: int | None


class DatabaseHealthStore:
    async def unreachable(self, tx: Transaction, ids: Sequence[str]) -> set[str]:
        """Returns those of `ids` that the last check did not reach."""
        return {id for (id,) in await tx.tuples(_SQL.unreachable, {"ids": list(ids)})}

    async def versions(self, tx: Transaction) -> list[tuple[str, int]]:
        """Returns the versions of all databases by id."""
        return [(id, version) for id, version in await tx.tuples(_SQL.versions)]

    async def note(self, tx: Transaction, finding: CheckFinding) -> NotedCheck | None:
        """Returns None when the database was moved or removed since it was checked."""
        before = await tx.tuples(_SQL.previous, {"id": finding.database_id})
        query = _SQL.reached if finding.error is None else _SQL.not_reached
        rows = await tx.tuples(query, _parameters(finding))
        if not rows:
            return None
        [(name, failures)] = rows
        was, was_since = before[0] if before else (None, None)
        return NotedCheck(name, failures, was, was_since)

    async def stats(self, tx: Transaction, key: str) -> Stats | None:
        rows = await tx.tuples(_SQL.stats, {"key": key})
        return Stats(*rows[0]) if rows else None

    async def gauges(self, tx: Transaction) -> Sequence[Gauged]:
        return [Gauged(*row) for row in await tx.tuples(_SQL.gauges)]


def _parameters(finding: CheckFinding) -> dict[str, Any]:
    stats: str | None = msgspec.json.encode(finding.stats).decode()
    stats_error = finding.stats_error
    if stats is not None and len(stats) > MOST_STATS_BYTES:
        stats, stats_error = None, "its statistics are longer than anyone would read"
    return {
        "id": finding.database_id,
        "version": finding.version,
        "error": _text(finding.error),
        "latency_seconds": finding.latency_seconds,
        "server_version": _text(finding.server_version, 100),
        "size_bytes": _size(finding.stats or {}),
        "stats": stats,
        "stats_error": _text(stats_error),
    }


def _size(stats: Mapping[str, Any]) -> int | None:
    size = stats.get("size_bytes", stats.get("used_memory"))
    return size if isinstance(size, int) and abs(size) < 2**63 else None


def _text(said: str | None, most: int = 500) -> str | None:
    """Servers may return any text; Postgres can store every character but NUL."""
    return None if said is None else said.replace("\x00", "")[:most]
