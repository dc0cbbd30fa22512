"""Deletes objects. Their bytes follow by a trigger: see blobs/service.py."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.storage.errors import access_denied, no_such_key
from ogel.features.storage.events import OBJECT_REMOVED, object_event
from ogel.features.storage.objects.conditions import NO_CONDITIONS, Conditions
from ogel.features.storage.objects.names import is_storable, sought
from ogel.features.storage.objects.object import StoredObject
from ogel.features.storage.objects.store import ObjectRows
from ogel.features.storage.policy import READ, WRITE, on_behalf
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database
from ogel.runtime.outbox import Outbox

# Of one transaction, which publishes an event for each.
_AT_ONCE = 500


class ObjectRemover:
    def __init__(self, database: Database, rows: ObjectRows, outbox: Outbox) -> None:
        self._database = database
        self._rows = rows
        self._outbox = outbox

    async def remove(self, caller: Caller, bucket_id: str, names: Sequence[str]) -> Sequence[StoredObject]:
        """
        Returns those that are gone, by name; the others were not there, or the caller may not delete them. They go in
        several transactions, if they are many.
        """
        if not is_storable(bucket_id):
            return []
        keys = sorted({key for name in names if (key := sought(name)) is not None})
        removed: list[StoredObject] = []
        for first in range(0, len(keys), _AT_ONCE):
            removed += await self._remove(caller, bucket_id, keys[first : first + _AT_ONCE])
        return removed

    async def remove_one(
        self, caller: Caller, bucket_id: str, name: str, conditions: Conditions = NO_CONDITIONS
    ) -> StoredObject:
        """
        Raises StorageError NoSuchKey, for one that the caller may not see as well, PreconditionFailed, and
        AccessDenied for one that the caller sees and may not delete.
        """
        key = sought(name)
        if key is None or not is_storable(bucket_id):
            raise no_such_key()
        async with self._database.transaction() as tx:
            async with on_behalf(tx, caller.principal, READ):
                found = await self._rows.get(tx, bucket_id, key)
            if found is None:
                raise no_such_key()
            conditions.check(found)
            async with on_behalf(tx, caller.principal, WRITE):
                if conditions is not NO_CONDITIONS:
                    found = await self._rows.get_locked(tx, bucket_id, key)
                    conditions.check(found)
                removed = await self._rows.delete(tx, bucket_id, [key])
            if not removed:
                is_there = await self._rows.get(tx, bucket_id, key) is not None
                raise access_denied() if is_there else no_such_key()
            await self._outbox.publish(tx, [object_event(OBJECT_REMOVED, removed[0])])
        return removed[0]

    async def _remove(self, caller: Caller, bucket_id: str, keys: Sequence[str]) -> Sequence[StoredObject]:
        async with self._database.transaction() as tx:
            async with on_behalf(tx, caller.principal, WRITE):
                # The database tells them in whatever order it found them.
                removed = sorted(await self._rows.delete(tx, bucket_id, keys), key=lambda each: each.name)
            await self._outbox.publish(tx, [object_event(OBJECT_REMOVED, each) for each in removed])
        return removed
