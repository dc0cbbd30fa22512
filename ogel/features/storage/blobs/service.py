"""
Blobs from intent to reaping. The row is written before the bytes and deleted after them, so that whatever dies,
whenever, leaves nothing that the reaper does not find:

1 begin    in a transaction, a `pending` row: its lease ends by itself
2 fill     the bytes go to the store, without a transaction; the lease is renewed meanwhile, and none fills without it
3 keep     in the transaction that makes them an object's: the row is `live`
4          a trigger makes the rows of what is replaced or deleted `deleting`; readers may go on for ten minutes
5 reap     rows whose time is over are `deleting`, so that none can be kept any more; then the bytes are deleted, and
           then the row. One that was never kept stays for an hour and is deleted again: what its put sent to the store
           may have arrived since.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog
from msgspec import Struct
from psycopg import errors

from ogel.features.storage.blobs.blob import Blob, Damaged, Filled, Held, Intent, new_key
from ogel.features.storage.blobs.encryption import (
    Decrypting,
    Encrypting,
    key_purpose,
    new_secret,
    stored_size,
)
from ogel.features.storage.blobs.store import BlobStore, Due
from ogel.features.storage.errors import intent_lost, no_such_key, quota_exceeded, store_full, too_large
from ogel.kernel.errors import Unavailable
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.objects import ObjectMissing, ObjectStore, StoreFull
from ogel.runtime.secrets.vault import Unsealable, Vault

log = structlog.get_logger(__name__)

# A pending blob is given up after this, unless its lease is renewed while it is written.
LEASE_SECONDS = 900.0
_REAPED_AT_ONCE = 100
_DELETED_AT_ONCE = 8
_QUOTA = "OG001"


class Lease(Struct, frozen=True):
    """
    How long whoever fills a blob may be silent. Its own time ends before that in the database does, by the margin.
    `again_seconds` are until the next try after the database was away.
    """

    seconds: float = LEASE_SECONDS
    renewed_seconds: float = 240.0
    again_seconds: float = 30.0
    margin_seconds: float = 60.0


LEASE = Lease()


class BlobService:
    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        store: BlobStore,
        vault: Vault,
        lease: Lease = LEASE,
    ) -> None:
        self._database = database
        self._objects = objects
        self._store = store
        self._vault = vault
        self._lease = lease

    async def begin(
        self,
        tx: Transaction,
        *,
        bucket: str | None,
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
        key = new_key()
        intent = Intent(key, self._vault.seal(new_secret(), key_purpose(key)) if encrypted else None)
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
        `most` of them, SlowDown when the blob was given up meanwhile, InsufficientStorage; Unavailable.
        """
        content = _limited(content, most)
        if intent.sealed_key is not None:
            return await self._fill_encrypted(intent, intent.sealed_key, content, length)
        async with self._leased(intent), store_told(intent.key):
            written = await self._objects.put(intent.key, content, length)
        return Filled(intent, written.size, bytes.fromhex(written.md5), bytes.fromhex(written.sha256))

    async def copy(self, intent: Intent, blob: Blob) -> Filled:
        """
        Stores the bytes of another blob, within the store unless they are to be encrypted, or were. They must stay
        meanwhile. Raises StorageError NoSuchKey, SlowDown, InsufficientStorage; Unavailable.
        """
        if intent.sealed_key is not None or blob.sealed_key is not None:
            return await self.fill(intent, self.read([blob], 0, blob.size), blob.size, blob.size)
        async with self._leased(intent), store_told(blob.key):
            await self._objects.copy(blob.key, intent.key)
        return Filled(intent, blob.size, blob.md5 or b"", None)

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

    async def unreserve(self, tx: Transaction, key: str) -> None:
        """Gives back what an announced blob reserves, which is kept by another row."""
        await self._store.unreserve(tx, key)

    async def give_up(self, intents: Sequence[Intent]) -> None:
        """After a failure; what was written is deleted by the reaper. Nothing is lost if this does not come through."""
        with suppress(Unavailable):  # the failure itself is to be told
            async with self._database.autocommit() as tx:
                await self._store.give_up(tx, [intent.key for intent in intents])

    async def of_version(self, tx: Transaction, version: str) -> Sequence[Blob]:
        return await self._store.of_version(tx, version)

    async def read(self, blobs: Sequence[Blob], first: int, end: int) -> AsyncIterator[bytes]:
        """
        Yields the bytes from `first` up to `end` of blobs that follow one another. Raises StorageError NoSuchKey when a
        blob is gone, and Damaged when it is shorter than it was, or is not what was encrypted.
        """
        at = 0
        for blob in blobs:
            start, stop = max(first - at, 0), min(end - at, blob.size)
            if start < stop:
                async for piece in self._part(blob, start, stop):
                    yield piece
            at += blob.size

    async def reap(self) -> int:
        """
        Deletes blobs that nobody wants any more. Returns how many; 0: none is due. One that cannot be deleted is left
        for some minutes; raises Unavailable if that is so for all of them.
        """
        async with self._database.autocommit() as tx:
            due = await self._store.claim_due(tx, _REAPED_AT_ONCE)
        places = asyncio.Semaphore(_DELETED_AT_ONCE)
        failures: list[Unavailable] = []

        async def delete(blob: Due) -> bool:
            async with places:
                try:
                    await self._objects.delete(blob.key)
                except Unavailable as error:
                    failures.append(error)
                    log.warning("storage.blob_not_deleted", key=blob.key, error=error.message)
                    return False
                return True

        gone = await asyncio.gather(*map(delete, due))
        deleted = [blob for blob, is_gone in zip(due, gone, strict=True) if is_gone]
        if failures and not deleted:
            raise failures[0]
        if deleted:
            async with self._database.autocommit() as tx:
                await self._store.forget(tx, deleted)
        return len(deleted)

    async def _fill_encrypted(
        self, intent: Intent, sealed_key: bytes, content: AsyncIterable[bytes], length: int | None
    ) -> Filled:
        encrypting = Encrypting(self._secret_of(intent.key, sealed_key))
        async with self._leased(intent), store_told(intent.key):
            await self._objects.put(
                intent.key,
                encrypting.encrypted(content),
                None if length is None else stored_size(length),
            )
        return Filled(intent, encrypting.size, encrypting.md5.digest(), encrypting.sha256.digest())

    def _secret_of(self, key: str, sealed_key: bytes) -> bytes:
        try:
            return self._vault.open(sealed_key, key_purpose(key))
        except Unsealable as error:
            raise Unavailable(f"The key of a blob cannot be opened: it was {error}.") from error

    async def _part(self, blob: Blob, first: int, end: int) -> AsyncIterator[bytes]:
        async with store_told(blob.key):
            if blob.sealed_key is None:
                async for piece in self._stored(blob, first, end):
                    yield piece
                return
            decrypting = Decrypting(self._secret_of(blob.key, blob.sealed_key), blob.size, first, end)
            stored = self._stored(blob, decrypting.start, decrypting.stop)
            async for piece in decrypting.decrypted(stored):
                yield piece

    async def _stored(self, blob: Blob, first: int, end: int) -> AsyncIterator[bytes]:
        left = end - first
        async with self._objects.get(blob.key, first, end) as pieces:
            async for piece in pieces:
                left -= len(piece)
                yield piece
        if left:
            raise Damaged("The store has not all of the object's bytes.")

    @asynccontextmanager
    async def _leased(self, intent: Intent) -> AsyncIterator[None]:
        """Renews the lease while the block runs, and ends the block when the lease ends."""
        deadline = asyncio.timeout(self._lease.seconds - self._lease.margin_seconds)
        try:
            async with deadline:
                renewing = asyncio.create_task(self._renew(intent, deadline))
                try:
                    yield
                finally:
                    renewing.cancel()
        except TimeoutError:
            if deadline.expired():
                raise intent_lost() from None
            raise

    async def _renew(self, intent: Intent, deadline: asyncio.Timeout) -> None:
        lease, loop = self._lease, asyncio.get_running_loop()
        pause = lease.renewed_seconds
        while True:
            await asyncio.sleep(pause)
            began = loop.time()
            try:
                async with self._database.autocommit() as tx:
                    is_held = await self._store.renew(tx, intent.key, lease.seconds)
            except Unavailable:
                pause = lease.again_seconds
                continue
            if not is_held:
                deadline.reschedule(began)
                return
            deadline.reschedule(began + lease.seconds - lease.margin_seconds)
            pause = lease.renewed_seconds


async def _limited(content: AsyncIterable[bytes], most: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in content:
        size += len(piece)
        if size > most:
            raise too_large(most)
        yield piece


@asynccontextmanager
async def store_told(key: str) -> AsyncIterator[None]:
    """Writes down what the store said of a blob, and tells clients what is for them: it names hosts and directories."""
    try:
        yield
    except ObjectMissing:
        log.error("storage.blob_missing", key=key)
        raise no_such_key() from None
    except StoreFull as error:
        log.error("storage.store_full", key=key, error=error.message)
        raise store_full() from error
    except Damaged as error:
        log.error("storage.blob_damaged", key=key, error=error.message)
        raise
    except Unavailable as error:
        log.warning("storage.store_away", key=key, error=error.message)
        raise Unavailable("The store does not answer as it should; try it again later.") from error


@asynccontextmanager
async def quotas_told() -> AsyncIterator[None]:
    """Says what the database's trigger found, as StorageError QuotaExceeded."""
    try:
        yield
    except errors.Error as error:
        if error.sqlstate != _QUOTA:
            raise
        raise quota_exceeded(f"There is no room left: {error.diag.message_primary}.") from error
