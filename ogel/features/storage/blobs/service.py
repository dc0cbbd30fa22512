"""
Blobs from intent to reaping. The row is written before the bytes and deleted after them, so that whatever dies,
whenever, leaves nothing that the reaper does not find:

1 begin    in a transaction, a `pending` row: it ends by itself after a while
2 fill     the bytes go to the store, without a transaction
3 keep     in the transaction that makes them an object's: the row is `live`
4          a trigger makes the rows of what is replaced or deleted `deleting`; readers may go on for ten minutes
5 reap     rows whose time is over: first the bytes are deleted, then the row
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from psycopg import errors

from ogel.features.storage.blobs.blob import Blob, Filled, Held, Intent, new_key
from ogel.features.storage.blobs.store import BlobStore
from ogel.features.storage.errors import intent_lost, quota_exceeded, too_large
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.objects import ObjectStore

# A pending blob is given up after this, unless it is renewed while it is written.
LEASE_SECONDS = 3600.0
_REAPED_AT_ONCE = 100
_QUOTA = "OG001"


class BlobService:
    def __init__(self, database: Database, objects: ObjectStore, store: BlobStore) -> None:
        self._database = database
        self._objects = objects
        self._store = store

    async def begin(
        self,
        tx: Transaction,
        *,
        bucket: str,
        owner: str | None,
        reserve: int,
        encrypted: bool = False,
        version: str | None = None,
        position: int = 0,
        seconds: float = LEASE_SECONDS,
    ) -> Intent:
        """
        Announces a blob and reserves `reserve` bytes (0: unknown) of the quotas. Fill it once `tx` has committed.
        Raises StorageError QuotaExceeded.
        """
        intent = Intent(new_key())
        async with quotas_told():
            await self._store.begin(
                tx,
                intent,
                seconds,
                bucket=bucket,
                owner=owner,
                size=reserve,
                version=version,
                position=position,
            )
        return intent

    async def fill(
        self, intent: Intent, content: AsyncIterable[bytes], most: int, length: int | None = None
    ) -> Filled:
        """
        Stores the bytes; `length` is how many will come, where that is known. Raises StorageError EntityTooLarge past
        `most` of them, StoreFull, Unavailable.
        """
        written = await self._objects.put(intent.key, _limited(content, most), length)
        return Filled(intent, written.size, bytes.fromhex(written.md5), bytes.fromhex(written.sha256))

    async def keep(
        self,
        tx: Transaction,
        filled: Filled,
        *,
        bucket: str,
        owner: str | None,
        version: str,
        position: int = 0,
    ) -> None:
        """
        Makes a blob part of the version, in the transaction that makes the version an object's. Raises StorageError
        SlowDown: it was given up in the meantime; QuotaExceeded: it is more than was reserved, and too much.
        """
        async with quotas_told():
            kept = await self._store.keep(
                tx, filled, bucket=bucket, owner=owner, version=version, position=position
            )
        if not kept:
            raise intent_lost()

    async def hold(
        self,
        tx: Transaction,
        filled: Filled,
        *,
        version: str,
        position: int,
        until: datetime,
        instead_of: Sequence[str] = (),
    ) -> None:
        """
        Makes a blob a part of an upload that goes on until then, `instead_of` others, whose keys are given: it is
        pending, so that nobody reads it, and reserved. Raises StorageError SlowDown, QuotaExceeded.
        """
        async with quotas_told():
            await self._store.give_up(tx, instead_of)
            held = await self._store.hold(tx, filled, version=version, position=position, until=until)
        if not held:
            raise intent_lost()

    async def held(self, tx: Transaction, *versions: str) -> Sequence[Held]:
        """The parts of uploads, one upload after the other."""
        return await self._store.held(tx, versions)

    async def last_held(self, tx: Transaction, version: str) -> Held | None:
        return await self._store.last_held(tx, version)

    async def keep_held(
        self, tx: Transaction, keys: Sequence[str], *, bucket: str, owner: str | None, version: str
    ) -> None:
        """
        Makes parts an object's, in this order; other parts of the version are given up. Raises StorageError SlowDown,
        QuotaExceeded.
        """
        async with quotas_told():
            kept = await self._store.keep_held(tx, keys, bucket=bucket, owner=owner, version=version)
            if kept != len(keys):
                raise intent_lost()
            await self._store.drop_held(tx, version)

    async def give_up(self, intents: Sequence[Intent]) -> None:
        """After a failure; what was written is deleted by the reaper. Nothing is lost if this does not come through."""
        async with self._database.autocommit() as tx:
            await self._store.give_up(tx, [intent.key for intent in intents])

    async def of_version(self, tx: Transaction, version: str) -> Sequence[Blob]:
        return await self._store.of_version(tx, version)

    async def read(self, blobs: Sequence[Blob], first: int, end: int) -> AsyncIterator[bytes]:
        """Yields the bytes from `first` up to `end` of blobs that follow one another."""
        at = 0
        for blob in blobs:
            start, stop = max(first - at, 0), min(end - at, blob.size)
            if start < stop:
                async with self._objects.get(blob.key, start, stop) as pieces:
                    async for piece in pieces:
                        yield piece
            at += blob.size

    async def reap(self) -> int:
        """Deletes blobs that nobody wants any more. Returns how many; 0: none is left."""
        async with self._database.transaction() as tx:
            keys = await self._store.due(tx, _REAPED_AT_ONCE)
            if not keys:
                return 0
        for key in keys:
            await self._objects.delete(key)
        async with self._database.transaction() as tx:
            await self._store.forget(tx, keys)
        return len(keys)


async def _limited(content: AsyncIterable[bytes], most: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in content:
        size += len(piece)
        if size > most:
            raise too_large(most)
        yield piece


@asynccontextmanager
async def quotas_told() -> AsyncIterator[None]:
    """Says what the database's trigger found, as StorageError QuotaExceeded."""
    try:
        yield
    except errors.Error as error:
        if error.sqlstate != _QUOTA:
            raise
        raise quota_exceeded(f"There is no room left: {error.diag.message_primary}.") from error
