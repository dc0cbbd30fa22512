"""Whether the database takes writes: one that only answers is of no use to a publisher."""

from __future__ import annotations

from ogel.runtime.database.database import Database, Queries
from ogel.runtime.database.faults import DatabaseReadOnly, told
from ogel.runtime.database.patience import patience_in_all

_SQL = Queries.beside(__name__)
# Those who ask have two.
_SECONDS = 1.8


async def check_writes(database: Database) -> None:
    """
    Raises DatabaseAway with what it says. Leaves nothing behind and writes no log of changes, since a server that runs
    out of room for that one stops altogether: it has the server write a temporary file.
    """
    with patience_in_all(_SECONDS):
        await _write(database)


async def _write(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(_SQL.little_memory)
        if await tx.value(_SQL.spill):
            raise told(DatabaseReadOnly)
