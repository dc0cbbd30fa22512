"""Detects jobs that are due but that nobody takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)

# At most this many jobs of a queue are searched.
MOST_LOOKED_AT = 50_000


async def stuck_seconds(tx: Transaction, queues: Sequence[str]) -> Mapping[str, float]:
    """
    Returns, for each queue, since when its oldest job has been due that no pause, rate, slowing or breaker holds back.
    """
    return dict(await tx.tuples(_SQL.stuck, {"queues": list(queues), "most": MOST_LOOKED_AT}))
