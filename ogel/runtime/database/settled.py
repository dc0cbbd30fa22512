"""The time before which nothing can be written any more: rows carry the time their transaction began, and are seen when
it has ended."""

from __future__ import annotations

from datetime import datetime

from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


async def settled_until(tx: Transaction) -> tuple[datetime, datetime]:
    """
    Since when the oldest transaction of ours has been open, and the time now. Of a moment before the first, all is seen
    that ever will be, by statements after this one; save for what a transaction of more than two minutes writes.
    """
    [(settled, now)] = await tx.tuples(_SQL.settled_until)
    return settled, now
