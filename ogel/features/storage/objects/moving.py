"""Moves and copies objects; both are held to the rules of the bucket that they go to."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from psycopg import errors

from ogel.features.storage.blobs.service import BlobService, quotas_told
from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.buckets.rules import admitted
from ogel.features.storage.buckets.store import BucketStore
from ogel.features.storage.errors import (
    changed_meanwhile,
    no_such_bucket,
    not_encrypted,
    refused_by_policy,
    resource_exists,
    too_large,
)
from ogel.features.storage.events import OBJECT_CREATED, OBJECT_REMOVED, object_event
from ogel.features.storage.objects.conditions import NO_CONDITIONS, Conditions
from ogel.features.storage.objects.names import checked_name, is_storable, sought
from ogel.features.storage.objects.object import Facts, StoredObject, facts_of
from ogel.features.storage.objects.reading import Found, ObjectReader
from ogel.features.storage.objects.store import ObjectRows
from ogel.features.storage.objects.writing import Content, ObjectWriter, forget_expired
from ogel.features.storage.policy import WRITE, on_behalf, owner_of
from ogel.features.storage.scanning.service import Scans
from ogel.features.storage.sniffing.signatures import HEAD_BYTES
from ogel.features.storage.sniffing.sniff import inspected
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox

# Of a copy within the store, which takes one request for each.
_MOST_PARTS = 100


class Place(NamedTuple):
    bucket: str
    name: str


class _Beginning(NamedTuple):
    """The first bytes of a version."""

    version: str
    head: bytes


class ObjectMover:
    def __init__(
        self,
        database: Database,
        buckets: BucketStore,
        rows: ObjectRows,
        reader: ObjectReader,
        writer: ObjectWriter,
        blobs: BlobService,
        outbox: Outbox,
        scans: Scans,
    ) -> None:
        self._database = database
        self._buckets = buckets
        self._rows = rows
        self._reader = reader
        self._writer = writer
        self._blobs = blobs
        self._outbox = outbox
        self._scans = scans

    async def move(self, caller: Caller, source: Place, target: Place) -> StoredObject:
        """
        It stays the same object, with the same bytes, under another name. Raises StorageError NoSuchKey, NoSuchBucket
        (of the target), InvalidKey, ResourceAlreadyExists, AccessDenied, EntityTooLarge, InvalidMimeType,
        QuotaExceeded, SlowDown for what changes meanwhile, and InvalidRequest for what is not encrypted, where the
        target encrypts.
        """
        target = Place(target.bucket, checked_name(target.name))
        begins = await self._beginning(caller, source, target)
        async with self._database.transaction() as tx:
            found = await self._locked(tx, caller.principal, source)
            if target == (found.bucket_id, found.name):
                return found
            if (
                not is_storable(target.bucket)
                or (bucket := await self._buckets.get(tx, target.bucket)) is None
            ):
                raise no_such_bucket()
            if target.bucket != found.bucket_id:
                _check_type(bucket, found, begins)
                if found.size > (most := self._writer.most_of(bucket)):
                    raise too_large(most)
                if bucket.encrypted and not await self._is_encrypted(tx, found):
                    raise not_encrypted()
            await forget_expired(tx, self._rows, self._outbox, *target)
            try:
                async with quotas_told(), on_behalf(tx, caller.principal, WRITE):
                    moved = await self._rows.move(tx, found, *target, scanned=bucket.scanned)
            except errors.InsufficientPrivilege as error:
                raise refused_by_policy() from error
            except errors.UniqueViolation as error:
                raise resource_exists() from error
            except errors.ForeignKeyViolation as error:
                raise no_such_bucket() from error
            if moved is None:
                raise refused_by_policy()
            await self._outbox.publish(
                tx, [object_event(OBJECT_REMOVED, found), object_event(OBJECT_CREATED, moved)]
            )
            await self._scans.begin(tx, moved)
        return moved

    async def _locked(self, tx: Transaction, principal: Principal, source: Place) -> StoredObject:
        """As it is until it is moved: what replaces it meanwhile need not be what may be there."""
        key = sought(source.name)
        if key is not None and is_storable(source.bucket):
            await self._rows.get_locked(tx, source.bucket, key)
        return await self._reader.seen(tx, principal, *source)

    async def _is_encrypted(self, tx: Transaction, found: StoredObject) -> bool:
        blobs = await self._blobs.of_version(tx, found.version)
        return all(blob.sealed_key is not None for blob in blobs)

    async def _beginning(self, caller: Caller, source: Place, target: Place) -> _Beginning | None:
        """How the object begins, where that counts: in a bucket that takes some types only. Outside transactions."""
        if source.bucket == target.bucket or not is_storable(target.bucket):
            return None
        async with self._database.autocommit() as tx:
            bucket = await self._buckets.get(tx, target.bucket)
        if bucket is None or not bucket.allowed_mime_types:
            return None
        found = await self._reader.open(caller.principal, *source)
        return _Beginning(found.object.version, await _head(found))


class ObjectCopier:
    def __init__(
        self, database: Database, reader: ObjectReader, writer: ObjectWriter, blobs: BlobService
    ) -> None:
        self._database = database
        self._reader = reader
        self._writer = writer
        self._blobs = blobs

    async def copy(
        self,
        caller: Caller,
        source: Place,
        target: Place,
        *,
        facts: Callable[[StoredObject], Facts] = facts_of,
        upsert: bool = False,
        conditions: Conditions = NO_CONDITIONS,
    ) -> StoredObject:
        """
        The copy is the caller's, and an object of its own; `facts` says what is to be known of it. Raises what
        ObjectReader.open and ObjectWriter.put raise.
        """
        found = await self._reader.open(caller.principal, *source)
        said, size = facts(found.object), found.object.size
        async with self._database.transaction() as tx:
            to = await self._writer.target(
                tx,
                caller.principal,
                target.bucket,
                checked_name(target.name),
                said,
                upsert=upsert,
                conditions=conditions,
            )
            if size > (most := self._writer.most_of(to.bucket)):
                raise too_large(most)
            # Otherwise it is read, and written as one blob.
            is_within = len(found.blobs) <= _MOST_PARTS and not _is_sealed(to.bucket, found)
            intents = [
                await self._blobs.begin(
                    tx,
                    bucket=to.bucket.id,
                    owner=owner_of(caller.principal),
                    reserve=part,
                    encrypted=to.bucket.encrypted,
                )
                for part in ([blob.size for blob in found.blobs] if is_within else [size])
            ]
        try:
            if to.bucket.allowed_mime_types:
                said = inspected(to.bucket, said, await _head(found))
            if is_within:
                pairs = zip(intents, found.blobs, strict=True)
                parts = [await self._blobs.copy(intent, blob) for intent, blob in pairs]
            else:
                parts = [await self._blobs.fill(intents[0], found.read(0, size), size, size)]
            content = Content(parts, found.object.etag, found.object.sha256, size)
            async with self._database.transaction() as tx:
                return await self._writer.commit(tx, caller, to, content, said)
        except BaseException:
            await self._blobs.give_up(intents)
            raise


def _check_type(bucket: Bucket, found: StoredObject, begins: _Beginning | None) -> None:
    """Raises StorageError InvalidMimeType, and SlowDown for what has changed since it was looked at."""
    admitted(bucket, facts_of(found))
    if bucket.allowed_mime_types:
        if begins is None or begins.version != found.version:
            raise changed_meanwhile()
        inspected(bucket, facts_of(found), begins.head)


async def _head(found: Found) -> bytes:
    return b"".join([piece async for piece in found.read(0, min(found.object.size, HEAD_BYTES))])


def _is_sealed(to: Bucket, found: Found) -> bool:
    """Whether bytes are encrypted at either end: then the copy's are other bytes."""
    return to.encrypted or any(blob.sealed_key is not None for blob in found.blobs)
