"""
Uploads in several requests: begun, gone on with, ended.

What comes is stored in segments, each a blob, which count from the transaction that moves the upload's offset behind
them: a server that is killed loses the segment it was writing. When the last one comes, the same transaction makes all
of them an object; nothing is copied.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from uuid import UUID

from msgspec.structs import replace

from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.buckets.store import BucketStore
from ogel.features.storage.errors import (
    StorageError,
    key_exists,
    no_such_bucket,
    no_such_upload,
    offset_conflict,
    part_refused,
    too_large,
    too_many_uploads,
    upload_exceeded,
    upload_interrupted,
    upload_is_final,
    upload_length_known,
)
from ogel.features.storage.objects.names import checked_name
from ogel.features.storage.objects.writing import Inspect, ObjectWriter
from ogel.features.storage.policy import owner_of
from ogel.features.storage.resumable.appending import Appender
from ogel.features.storage.resumable.checksum import Checksum
from ogel.features.storage.resumable.finishing import Finisher
from ogel.features.storage.resumable.locks import Lock, UploadLocks
from ogel.features.storage.resumable.segments import Segments
from ogel.features.storage.resumable.source import Source
from ogel.features.storage.resumable.store import UploadStore
from ogel.features.storage.resumable.upload import NewUpload, Upload
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.database.database import Database, Transaction

# Of a user, at once.
MOST_UPLOADS = 1000
# Of which an object is put together.
MOST_PARTS = 1000


class UploadService:
    """`seconds` after it was begun an upload that is not finished is given up."""

    def __init__(
        self,
        database: Database,
        store: UploadStore,
        buckets: BucketStore,
        blobs: BlobService,
        writer: ObjectWriter,
        inspect: Inspect,
        most_bytes: int,
        seconds: float,
    ) -> None:
        self._database = database
        self._store = store
        self._buckets = buckets
        self._writer = writer
        self._inspect = inspect
        self._finisher = Finisher(database, store, blobs, writer, inspect)
        self._appender = Appender(database, store, Segments(database, blobs), self._finisher)
        self._locks = UploadLocks(database, store)
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def create(self, caller: Caller, new: NewUpload) -> Upload:
        """
        Begins an upload; one of no bytes is an object at once. Raises what ObjectWriter.put raises before it reads
        bytes, and StorageError SlowDown: the user has too many already.
        """
        async with self._database.transaction() as tx:
            most, facts = self._most_bytes, new.said.facts
            if new.bucket is not None and new.name is not None:
                new = replace(new, name=checked_name(new.name))
                bucket = await self._target(tx, caller.principal, new)
                most = self._writer.most_of(bucket)
                if new.length == 0:
                    facts = self._inspect(bucket, facts, b"")
            if new.length is not None and new.length > most:
                raise too_large(most)
            await self._check_room(tx, caller.principal, new)
            upload = await self._store.create(tx, caller.principal, new, self._seconds)
            if upload.is_whole and not new.is_part:
                await self._finisher.finish(tx, caller, upload, facts)
                upload = replace(upload, finished_at=utc_now())
        return upload

    async def get(self, caller: Caller, id: UUID) -> Upload:
        """
        The upload, whose offset holds: a request that still wrote to it has ended. Raises StorageError NoSuchUpload,
        AccessDenied.
        """
        return await self._locks.settled(caller.principal, id)

    async def append(
        self,
        caller: Caller,
        id: UUID,
        offset: int,
        content: AsyncIterable[bytes],
        *,
        size: int | None = None,
        length: int | None = None,
        checksum: Checksum | None = None,
    ) -> Upload:
        """
        Stores the bytes that follow the first `offset` of them, as far as they come: when the connection breaks, what
        came before is kept. `size` is how many are said to come (None: unknown), `length` what the whole upload has,
        for one that had not said so. With a checksum all of them are stored, or none. Raises StorageError, besides
        those of `get` and of ObjectWriter.put: InvalidOffset, KeyAlreadyExists (it has become an object),
        EntityTooLarge, InvalidChecksum, ResourceLocked (another request has taken over); and what `content` raised.
        """
        async with self._locks.taken(caller.principal, id) as lock:
            upload = lock.upload
            if upload.finished_at is not None:
                raise upload_is_final() if upload.concat == "final" else key_exists()
            if upload.received != offset:
                raise offset_conflict()
            bucket = await self._bucket(upload)
            if length is not None and length != upload.length:
                await self._set_length(lock, bucket, length)
            most = self._most(lock.upload, bucket)
            if size is not None and size > most - offset:
                raise upload_exceeded()
            source = Source(content, checksum)
            lock.when_asked(source.stop)
            try:
                await self._appender.append(caller, lock, bucket, source, most)
            except StorageError as error:
                if error.code == "InvalidMimeType":  # whatever comes, it will not be taken
                    await self._forget(id)
                raise
            if source.broken is not None:
                raise source.broken
            has_all = lock.upload.is_whole or (size is not None and lock.upload.received == offset + size)
            if source.stopped and not has_all:
                raise upload_interrupted()
            return lock.upload

    async def append_first(
        self,
        caller: Caller,
        upload: Upload,
        content: AsyncIterable[bytes],
        *,
        size: int | None,
        checksum: Checksum | None,
    ) -> Upload:
        """The bytes that come with the beginning. If they fail there is no upload, since nobody has heard of it."""
        try:
            return await self.append(caller, upload.id, 0, content, size=size, checksum=checksum)
        except BaseException:
            await self._forget(upload.id)
            raise

    async def terminate(self, caller: Caller, id: UUID) -> None:
        """Deletes an upload with what came of it. Raises as `get` does, and KeyAlreadyExists: it is an object."""
        upload, _ = await self._locks.see(caller.principal, id)
        if upload.finished_at is not None:
            raise key_exists()
        await self._forget(id)

    async def concatenate(self, caller: Caller, new: NewUpload, ids: Sequence[UUID]) -> Upload:
        """
        Makes one object of parts that are whole, in this order; they are used up. Asked again, it answers the same.
        Raises as `create` does, and StorageError InvalidPart.
        """
        if not 0 < len(ids) <= MOST_PARTS or len(set(ids)) < len(ids):
            raise part_refused(f"An object is made of 1 to {MOST_PARTS} parts, each of them named once.")
        assert new.bucket is not None
        new = replace(new, name=checked_name(new.name or ""))
        async with self._database.transaction() as tx:
            if (before := await self._store.final(tx, caller.principal, new)) is not None:
                return before
            bucket = await self._target(tx, caller.principal, new)
            first = await self._store.get(tx, ids[0])
        version = _checked_part(first.upload if first else None, caller.principal).version
        facts = await self._finisher.inspected(bucket, new.said.facts, version)
        async with self._database.transaction() as tx:
            found = {part.id: part for part in await self._store.lock_parts(tx, ids)}
            parts = [_checked_part(found.get(id), caller.principal) for id in ids]
            length = sum(part.received for part in parts)
            if length > (most := self._writer.most_of(bucket)):
                raise too_large(most)
            whole = replace(new, length=length)
            upload = await self._store.create(tx, caller.principal, whole, self._seconds, received=length)
            await self._finisher.finish(tx, caller, upload, facts, [part.version for part in parts])
            await self._store.delete(tx, ids)
        return replace(upload, finished_at=utc_now())

    async def place(self, id: UUID) -> tuple[str, str]:
        """The bucket and the name that an upload goes to. Raises StorageError NoSuchUpload."""
        async with self._database.autocommit() as tx:
            found = await self._store.get(tx, id)
        if found is None or found.upload.bucket_id is None or found.upload.name is None:
            raise no_such_upload()
        return found.upload.bucket_id, found.upload.name

    async def _target(self, tx: Transaction, principal: Principal, new: NewUpload) -> Bucket:
        """Whether it may go there is asked before any bytes come, and again when it becomes an object."""
        assert new.bucket is not None
        assert new.name is not None
        facts = new.said.facts
        target = await self._writer.target(tx, principal, new.bucket, new.name, facts, upsert=new.upsert)
        return target.bucket

    async def _check_room(self, tx: Transaction, principal: Principal, new: NewUpload) -> None:
        """A part that says no bucket is asked of no policy, so little room is left to those."""
        if new.bucket is None and (principal.is_anyone or new.length is None):
            raise part_refused("A part says its length, and where nobody has signed in its bucketName too.")
        if (owner := owner_of(principal)) is None:
            return
        count, homeless = await self._store.open(tx, owner)
        if new.bucket is None:
            homeless += new.length or 0
        if count >= MOST_UPLOADS or homeless > 2 * self._most_bytes:
            raise too_many_uploads()

    async def _bucket(self, upload: Upload) -> Bucket | None:
        if upload.bucket_id is None:
            return None
        async with self._database.autocommit() as tx:
            if (bucket := await self._buckets.get(tx, upload.bucket_id)) is None:
                raise no_such_bucket()
        return bucket

    def _most(self, upload: Upload, bucket: Bucket | None) -> int:
        """The most bytes that it may have."""
        if upload.length is not None:
            return upload.length
        return self._most_bytes if bucket is None else self._writer.most_of(bucket)

    async def _set_length(self, lock: Lock, bucket: Bucket | None, length: int) -> None:
        upload = lock.upload
        most = self._most(upload, bucket)
        if upload.length is not None or length < upload.received:
            raise upload_length_known()
        if length > most:
            raise too_large(most)
        async with self._database.transaction() as tx:
            if not await self._store.set_length(tx, upload.id, lock.token, length):
                raise upload_interrupted()
        lock.upload = replace(upload, length=length)

    async def _forget(self, id: UUID) -> None:
        async with self._database.autocommit() as tx:
            await self._store.delete(tx, [id])


def _checked_part(part: Upload | None, principal: Principal) -> Upload:
    if part is None or part.concat != "partial" or not part.is_of(principal):
        raise part_refused("One of the parts is not there.")
    if not part.is_whole:
        raise part_refused("One of the parts has not come whole.")
    return part
