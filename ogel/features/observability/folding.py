"""Folding: what processes counted is added up by one worker at a time, a batch in each transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from ogel.runtime.database.database import Database, Transaction


class Folds(Protocol):
    async def lock(self, tx: Transaction) -> bool:
        """Until the transaction ends. False: another worker holds it."""

    async def fold(self, tx: Transaction, limit: int) -> int:
        """Adds up so many deltas at most, and returns how many there were."""


async def fold_all(
    database: Database, store: Folds, batch: int, at_the_end: Callable[[Transaction], Awaitable[None]]
) -> int | None:
    """`at_the_end` goes with the last batch. Returns how many deltas there were; None: another worker is doing it."""
    total, folded = 0, batch
    while folded == batch:
        async with database.transaction() as tx:
            if not await store.lock(tx):
                return None
            folded = await store.fold(tx, batch)
            if folded < batch:
                await at_the_end(tx)
        total += folded
    return total
