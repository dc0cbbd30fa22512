"""Deletes objects that are over, as whoever deletes one does: with the event, and the bytes by the trigger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ogel.features.storage.buckets.rules import lifecycle_of
from ogel.features.storage.events import OBJECT_REMOVED, object_event
from ogel.features.storage.lifecycle.store import Ends, LifecycleStore
from ogel.features.storage.objects.object import StoredObject
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox
from ogel.runtime.purge import MOST_COUNTED, Purge, whole

_AT_ONCE = 500


class Lifecycle:
    def __init__(self, database: Database, store: LifecycleStore, outbox: Outbox) -> None:
        self._database = database
        self._store = store
        self._outbox = outbox

    def purge(self) -> Purge:
        """Rules end objects once a day; a dry run counts them."""
        deletes = "objects that have expired, and those that a lifecycle rule of their bucket ends"
        return Purge("objects", deletes, 0, self._count, whole(self._delete))

    async def expire(self) -> int:
        """Deletes some of the objects that have expired. Returns how many; 0: none is left."""
        async with self._database.transaction() as tx:
            return await self._removed(tx, await self._store.delete_expired(tx, utc_now(), _AT_ONCE))

    async def _count(self, tx: Transaction, before: datetime) -> int:
        return await self._store.count(tx, before, await self._ends(tx, before), MOST_COUNTED + 1)

    async def _delete(self, tx: Transaction, before: datetime, limit: int) -> int:
        limit = min(limit, _AT_ONCE)
        gone = await self._store.delete_expired(tx, before, limit)
        for end in await self._ends(tx, before):
            if len(gone) == limit:
                break
            gone += await self._store.delete_aged(tx, end, limit - len(gone))
        return await self._removed(tx, gone)

    async def _ends(self, tx: Transaction, before: datetime) -> Sequence[Ends]:
        return [
            Ends(bucket, rule.prefix, before - timedelta(days=rule.age_days))
            for bucket, rules in await self._store.rules(tx)
            for rule in lifecycle_of(rules)
        ]

    async def _removed(self, tx: Transaction, gone: Sequence[StoredObject]) -> int:
        await self._outbox.publish(tx, [object_event(OBJECT_REMOVED, each) for each in gone])
        return len(gone)
