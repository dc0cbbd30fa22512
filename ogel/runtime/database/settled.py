"""
The time before which no more rows can appear: rows carry the start time of their transaction, and become visible when
it ends.
"""

from __future__ import annotations

from datetime import datetime

from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


async def settled_until(tx: Transaction) -> tuple[datetime, datetime]:
    """
    Returns the start of our oldest open transaction, and the time now. Later statements see every row from before the
    first time; only transactions longer than two minutes can add to it.
    """
    [(settled, now)] = await tx.tuples(_SQL.settled_until)
    return settled, now
