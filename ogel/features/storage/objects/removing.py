"""Deletes objects. Their bytes follow by a trigger: see blobs/service.py."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.storage.events import OBJECT_REMOVED, object_event
from ogel.features.storage.objects.object import StoredObject
from ogel.features.storage.objects.store import ObjectRows
from ogel.features.storage.policy import WRITE, on_behalf
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database
from ogel.runtime.outbox import Outbox


class ObjectRemover:
    def __init__(self, database: Database, rows: ObjectRows, outbox: Outbox) -> None:
        self._database = database
        self._rows = rows
        self._outbox = outbox

    async def remove(self, caller: Caller, bucket_id: str, names: Sequence[str]) -> Sequence[StoredObject]:
        """Returns those that are gone; the others were not there, or the caller may not delete them."""
        async with self._database.transaction() as tx:
            async with on_behalf(tx, caller.principal, WRITE):
                removed = await self._rows.delete(tx, bucket_id, names)
            await self._outbox.publish(tx, [object_event(OBJECT_REMOVED, each) for each in removed])
        return removed
