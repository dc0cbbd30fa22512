"""Checks whether the database takes writes: one that can only be read is of no use to a publisher."""

from __future__ import annotations

from ogel.runtime.database.database import Database, Queries
from ogel.runtime.database.faults import DatabaseReadOnly, told
from ogel.runtime.database.patience import patience_in_all

_SQL = Queries.beside(__name__)
# Seconds. Callers of the health check allow two.
_SECONDS = 1.8


async def check_writes(database: Database) -> None:
    """
    Raises DatabaseAway with the server's message. The server writes a temporary file, which leaves nothing behind and
    writes no WAL: a server without room for WAL stops altogether.
    """
    with patience_in_all(_SECONDS):
        await _write(database)


async def _write(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(_SQL.little_memory)
        if await tx.value(_SQL.spill):
            raise told(DatabaseReadOnly)
