"""Finds objects, and reads their bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ogel.features.storage.blobs.blob import Blob
from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.errors import (
    StorageError,
    found_infected,
    no_such_bucket,
    no_such_key,
    not_scanned_yet,
)
from ogel.features.storage.objects.looking import Lookout, Sought
from ogel.features.storage.objects.names import is_storable, sought
from ogel.features.storage.objects.object import StoredObject
from ogel.features.storage.objects.store import ObjectRows
from ogel.features.storage.policy import READ, is_operator, on_behalf
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Database, Transaction


class Found:
    """An object that may be read, for a while also when it is deleted in the meantime."""

    def __init__(self, object: StoredObject, blobs: Sequence[Blob], service: BlobService) -> None:
        self.object = object
        self.blobs = blobs
        self._service = service

    def read(self, first: int, end: int) -> AsyncIterator[bytes]:
        return self._service.read(self.blobs, first, end)


class ObjectReader:
    def __init__(self, database: Database, rows: ObjectRows, blobs: BlobService, lookout: Lookout) -> None:
        self._database = database
        self._lookout = lookout
        self._rows = rows
        self._blobs = blobs

    async def open(self, principal: Principal, bucket_id: str, name: str) -> Found:
        """
        What is in a public bucket is for everybody, and all that there is for nobody in particular. Raises StorageError
        NoSuchKey, for an object that the principal may not read as well, NoSuchBucket, and what `check_scanned` raises.
        """
        if principal.kind == "anonymous":
            return await self.open_public(bucket_id, name)
        if is_operator(principal, READ):
            return await self._open(bucket_id, name, public=False)
        async with self._database.transaction() as tx:
            found = await self.seen(tx, principal, bucket_id, name)
            check_scanned(found)
            return Found(found, await self._blobs.of_version(tx, found.version), self._blobs)

    async def find(self, principal: Principal, bucket_id: str, name: str) -> StoredObject:
        """What is known of an object. Raises what `open` raises."""
        if principal.kind == "anonymous":
            return await self.find_public(bucket_id, name)
        async with self._database.transaction() as tx:
            return await self.seen(tx, principal, bucket_id, name)

    async def seen(self, tx: Transaction, principal: Principal, bucket_id: str, name: str) -> StoredObject:
        """As `find`."""
        key = _key(bucket_id, name)
        async with on_behalf(tx, principal, READ):
            found = await self._rows.get(tx, bucket_id, key)
        if found is None and not is_operator(principal, READ):
            found = await self._rows.get_public(tx, bucket_id, key)
        if found is None or found.is_expired:
            raise await self._missing(tx, bucket_id, of_public=False)
        return found

    async def open_public(self, bucket_id: str, name: str) -> Found:
        """An object of a public bucket, which anybody may read. Raises what `open` raises."""
        return await self._open(bucket_id, name, public=True)

    async def _open(self, bucket_id: str, name: str, *, public: bool) -> Found:
        found = await self._lookout.object(Sought(bucket_id, _key(bucket_id, name), public))
        if found is None or found[0].is_expired:
            async with self._database.autocommit() as tx:
                raise await self._missing(tx, bucket_id, of_public=public)
        check_scanned(found[0])
        return Found(*found, self._blobs)

    async def find_public(self, bucket_id: str, name: str) -> StoredObject:
        """What is known of an object of a public bucket. Raises StorageError NoSuchKey, NoSuchBucket."""
        async with self._database.transaction() as tx:
            return await self.seen_by_all(tx, bucket_id, name)

    async def seen_by_all(self, tx: Transaction, bucket_id: str, name: str) -> StoredObject:
        """As `find_public`."""
        key = _key(bucket_id, name)
        found = await self._rows.get_public(tx, bucket_id, key)
        if found is None or found.is_expired:
            raise await self._missing(tx, bucket_id, of_public=True)
        return found

    async def _missing(self, tx: Transaction, bucket_id: str, *, of_public: bool) -> StorageError:
        """Why there is nothing to be read. `of_public`: buckets that are not public are not told of."""
        is_public = await self._rows.is_public(tx, bucket_id)
        return no_such_bucket() if is_public is None or (of_public and not is_public) else no_such_key()


def _key(bucket_id: str, name: str) -> str:
    """The name as objects have it. Raises StorageError NoSuchBucket, NoSuchKey: nothing can be called so."""
    if not is_storable(bucket_id):
        raise no_such_bucket()
    if (key := sought(name)) is None:
        raise no_such_key()
    return key


def check_scanned(object: StoredObject) -> None:
    """Raises StorageError ResourceLocked before its scan is done, and AccessDenied when something was found."""
    if object.scan_state == "infected":
        raise found_infected()
    if object.scan_state in ("pending", "failed"):
        raise not_scanned_yet()
