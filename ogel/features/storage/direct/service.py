"""
Direct uploads, which spare us the bytes and clients our limits of a request.

1 begin    it is asked whether the object may be, the blob is announced and its bytes reserved; the client gets a URL
2          the client puts the bytes into the store
3 confirm  the store copies the blob to a key that no client has ever had, we look at the copy and make it an object

Until the URL has ended its blob keeps its row, whatever happens: who puts bytes there again changes no object, and what
is put there late is found by the reaper.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from msgspec import Struct

from ogel.features.storage.blobs.blob import Blob, Filled, Intent
from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.buckets.store import BucketStore
from ogel.features.storage.direct.store import DirectStore
from ogel.features.storage.direct.upload import DirectUpload, Said
from ogel.features.storage.errors import (
    no_such_bucket,
    no_such_upload,
    not_direct,
    not_there_yet,
    refused_by_policy,
    too_large,
    too_many_uploads,
)
from ogel.features.storage.objects.names import checked_name
from ogel.features.storage.objects.object import Facts, StoredObject
from ogel.features.storage.objects.reading import ObjectReader
from ogel.features.storage.objects.writing import Content, Inspect, ObjectWriter
from ogel.features.storage.policy import owner_of
from ogel.features.storage.sniffing.signatures import HEAD_BYTES
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import SYSTEM, Caller, Principal
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.objects import ObjectStore

URL_SECONDS = 3600
# S3 takes no more in one request, nor copies more.
MOST_BYTES = 5 * 1024**3
# Of a user, at once.
MOST_UPLOADS = 1000
# After the URL has ended a request that began before may still be under way, and then be confirmed.
_GRACE = timedelta(hours=1)
_MD5 = re.compile(r"[0-9a-f]{32}")


class Begun(Struct, frozen=True):
    """The URL takes exactly the bytes that were announced, by PUT and with that content type."""

    id: UUID
    url: str
    content_type: str
    expires_at: datetime


class DirectUploads:
    def __init__(
        self,
        database: Database,
        store: DirectStore,
        buckets: BucketStore,
        objects: ObjectStore,
        blobs: BlobService,
        writer: ObjectWriter,
        reader: ObjectReader,
        inspect: Inspect,
    ) -> None:
        self._database = database
        self._store = store
        self._buckets = buckets
        self._objects = objects
        self._blobs = blobs
        self._writer = writer
        self._reader = reader
        self._inspect = inspect

    async def begin(
        self, caller: Caller, bucket: str, name: str, size: int, facts: Facts, *, upsert: bool
    ) -> Begun:
        """
        Raises what ObjectWriter.put raises before it reads bytes, and StorageError NotSupported: the store takes none,
        or the bucket is encrypted; SlowDown: the user has too many that are not confirmed.
        """
        name, id, expires_at = checked_name(name), uuid4(), utc_now() + timedelta(seconds=URL_SECONDS)
        async with self._database.transaction() as tx:
            target = await self._writer.target(tx, caller.principal, bucket, name, facts, upsert=upsert)
            if size > (most := min(self._writer.most_of(target.bucket), MOST_BYTES)):
                raise too_large(most)
            owner = owner_of(caller.principal)
            if owner is not None and await self._store.open(tx, owner) >= MOST_UPLOADS:
                raise too_many_uploads()
            lasting = URL_SECONDS + 2 * _GRACE.total_seconds()
            intent = await self._blobs.begin(tx, bucket=bucket, owner=owner, reserve=size, seconds=lasting)
            url = self._objects.presigned_put(intent.key, URL_SECONDS, size, content_type=facts.content_type)
            if url is None or target.bucket.encrypted:
                raise not_direct()
            await self._store.create(
                tx,
                caller.principal,
                id,
                bucket=bucket,
                name=name,
                version=str(uuid4()),
                length=size,
                upsert=upsert,
                said=Said(facts, intent.key),
                until=expires_at + _GRACE,
            )
        return Begun(id, url, facts.content_type, expires_at)

    async def confirm(self, caller: Caller, id: UUID) -> StoredObject:
        """
        Makes an object of what has come; once more, it only returns it. Raises what ObjectWriter.put raises, and
        StorageError NoSuchUpload, AccessDenied; IncompleteBody: not all of it has come yet.
        """
        async with self._database.transaction() as tx:
            upload = _checked(await self._store.lock(tx, id), caller.principal)
            if upload.finished_at is None:
                await self._blobs.unreserve(tx, upload.said.key)
                intent = await self._blobs.begin(
                    tx, bucket=upload.bucket_id, owner=upload.owner_id, reserve=upload.length
                )
        if upload.finished_at is not None:
            return await self._stored(upload)
        try:
            filled, facts = await self._copied(upload, intent)
            async with self._database.transaction() as tx:
                upload = _checked(await self._store.lock(tx, id), caller.principal)
                if upload.finished_at is None:
                    return await self._commit(tx, caller, upload, filled, facts)
            await self._blobs.give_up([intent])
        except BaseException:
            await self._blobs.give_up([intent])
            raise
        return await self._stored(upload)

    async def _copied(self, upload: DirectUpload, intent: Intent) -> tuple[Filled, Facts]:
        """The blob that will be the object's, and what is to be known of it."""
        await self._check(upload.said.key, upload)
        await self._blobs.copy(intent, Blob(upload.said.key, upload.length))
        # What it was a copy of may have been put again meanwhile; the copy stays as it is.
        md5 = await self._check(intent.key, upload)
        blob = Blob(intent.key, upload.length)
        pieces = self._blobs.read([blob], 0, min(HEAD_BYTES, upload.length))
        head = b"".join([piece async for piece in pieces])
        async with self._database.autocommit() as tx:
            if (bucket := await self._buckets.get(tx, upload.bucket_id)) is None:
                raise no_such_bucket()
        return Filled(intent, upload.length, md5, None), self._inspect(bucket, upload.said.facts, head)

    async def _check(self, key: str, upload: DirectUpload) -> bytes:
        """Raises StorageError IncompleteBody. Returns the MD5, if that is what the store has for an ETag."""
        entry = await self._objects.stat(key)
        if entry is None or entry.size != upload.length:
            raise not_there_yet()
        etag = entry.etag or ""
        return bytes.fromhex(etag) if _MD5.fullmatch(etag) else b""

    async def _commit(
        self, tx: Transaction, caller: Caller, upload: DirectUpload, filled: Filled, facts: Facts
    ) -> StoredObject:
        target = await self._writer.target(
            tx, caller.principal, upload.bucket_id, upload.name, facts, upsert=upload.upsert
        )
        etag = f'"{filled.md5.hex()}"' if filled.md5 else f'"{upload.version}"'
        content = Content([filled], etag, None, filled.size)
        stored = await self._writer.commit(tx, caller, target, content, facts, upload.version)
        await self._store.finish(tx, upload.id)
        return stored

    async def _stored(self, upload: DirectUpload) -> StoredObject:
        """Raises StorageError NoSuchKey: it has been deleted since."""
        return await self._reader.find(SYSTEM, upload.bucket_id, upload.name)


def _checked(upload: DirectUpload | None, principal: Principal) -> DirectUpload:
    if upload is None:
        raise no_such_upload()
    if not upload.is_of(principal):
        raise refused_by_policy()
    return upload
