"""Counting what a purge would delete, with a time limit: a slow count must delay neither callers nor the purge."""

from __future__ import annotations

import math
from datetime import datetime

from ogel.features.cleanup.store import Counted, RunStore
from ogel.runtime.database.database import Database, TookTooLong
from ogel.runtime.purge import MOST_COUNTED, Purge

COUNT_SECONDS = 2.0
# With less time left it is not worth asking; and Postgres reads 0 ms as no limit.
_LEAST_SECONDS = 0.01
_NOT_COUNTED = Counted(0, is_least=True)


async def count(
    database: Database, store: RunStore, purge: Purge, before: datetime, seconds: float = math.inf
) -> Counted:
    """Takes no longer than `seconds`, and never longer than COUNT_SECONDS."""
    limit = min(seconds, COUNT_SECONDS)
    if limit < _LEAST_SECONDS:
        return _NOT_COUNTED
    try:
        async with database.transaction() as tx:
            await store.limit_time(tx, limit)
            number = await purge.count(tx, before)
    except TookTooLong:
        return _NOT_COUNTED
    return Counted(min(number, MOST_COUNTED), number > MOST_COUNTED)
