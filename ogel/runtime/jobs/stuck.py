"""Jobs that wait for no good reason: nobody takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)

# Jobs of a queue that are looked at for one that should not be waiting.
MOST_LOOKED_AT = 50_000


async def stuck_seconds(tx: Transaction, queues: Sequence[str]) -> Mapping[str, float]:
    """Since when the oldest job of each queue has been due that no pause, rate, slowing or breaker holds back."""
    return dict(await tx.tuples(_SQL.stuck, {"queues": list(queues), "most": MOST_LOOKED_AT}))
