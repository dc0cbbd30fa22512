"""How much a purge would delete, told soon or not at all: nobody waits for the figure, least of all the purge."""

from __future__ import annotations

from datetime import datetime

from ogel.features.cleanup.store import Counted, RunStore
from ogel.runtime.database import Database, TookTooLong
from ogel.runtime.purge import MOST_COUNTED, Purge

COUNT_SECONDS = 2.0


async def count(database: Database, store: RunStore, purge: Purge, before: datetime) -> Counted:
    try:
        async with database.transaction() as tx:
            await store.limit_time(tx, COUNT_SECONDS)
            number = await purge.count(tx, before)
    except TookTooLong:
        return Counted(0, is_least=True)
    return Counted(min(number, MOST_COUNTED), number > MOST_COUNTED)
