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
from ogel.features.storage.buckets.store import BucketStore
from ogel.features.storage.errors import (
    checksum_mismatch,
    key_exists,
    no_such_bucket,
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
from ogel.features.storage.objects.writing import Content, ObjectWriter
from ogel.features.storage.policy import owner_of
from ogel.features.storage.resumable.checksum import Checksum
from ogel.features.storage.resumable.locks import Lock, UploadLocks
from ogel.features.storage.resumable.segments import Segment, Segments, etag_of
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
        most_bytes: int,
        seconds: float,
    ) -> None:
        self._database = database
        self._store = store
        self._buckets = buckets
        self._blobs = blobs
        self._writer = writer
        self._segments = Segments(database, blobs)
        self._locks = UploadLocks(database, store)
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def create(self, caller: Caller, new: NewUpload) -> Upload:
        """
        Begins an upload; one of no bytes is an object at once. Raises what ObjectWriter.put raises before it reads
        bytes, and StorageError SlowDown: the user has too many already.
        """
        async with self._database.transaction() as tx:
            most = self._most_bytes
            if new.bucket is not None and new.name is not None:
                checked_name(new.name)
                target = await self._writer.target(
                    tx, caller.principal, new.bucket, new.name, new.said.facts, upsert=new.upsert
                )
                most = self._writer.most_of(target.bucket)
            if new.length is not None and new.length > most:
                raise too_large(most)
            await self._check_room(tx, caller.principal, new)
            upload = await self._store.create(tx, caller.principal, new, self._seconds)
            if upload.is_whole and not new.is_part:
                await self._finish(tx, caller, upload)
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
            if length is not None and length != upload.length:
                await self._set_length(lock, length)
            most, encrypted = await self._limits(lock.upload)
            if size is not None and size > most - offset:
                raise upload_exceeded()
            source = Source(content, checksum)
            lock.when_asked(source.stop)
            await self._write(caller, lock, source, most, encrypted, checksum)
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
            async with self._database.autocommit() as tx:
                await self._store.delete(tx, [upload.id])
            raise

    async def terminate(self, caller: Caller, id: UUID) -> None:
        """Deletes an upload with what came of it. Raises as `get` does, and KeyAlreadyExists: it is an object."""
        upload, _ = await self._locks.see(caller.principal, id)
        if upload.finished_at is not None:
            raise key_exists()
        async with self._database.transaction() as tx:
            await self._store.delete(tx, [id])

    async def concatenate(self, caller: Caller, new: NewUpload, ids: Sequence[UUID]) -> Upload:
        """
        Makes one object of parts that are whole, in this order; they are used up. Raises as `create` does, and
        StorageError InvalidPart.
        """
        if not 0 < len(ids) <= MOST_PARTS or len(set(ids)) < len(ids):
            raise part_refused(f"An object is made of 1 to {MOST_PARTS} parts, each of them named once.")
        async with self._database.transaction() as tx:
            found = {part.id: part for part in await self._store.lock_parts(tx, ids)}
            parts = [_checked_part(found.get(id), caller.principal) for id in ids]
            length = sum(part.received for part in parts)
            assert new.bucket is not None
            assert new.name is not None
            target = await self._writer.target(
                tx, caller.principal, new.bucket, new.name, new.said.facts, upsert=new.upsert
            )
            if length > (most := self._writer.most_of(target.bucket)):
                raise too_large(most)
            whole = replace(new, length=length)
            upload = await self._store.create(tx, caller.principal, whole, self._seconds, received=length)
            await self._finish(tx, caller, upload, [part.version for part in parts])
            await self._store.delete(tx, ids)
        return upload

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

    async def _limits(self, upload: Upload) -> tuple[int, bool]:
        """The most bytes that it may have, and whether they are encrypted."""
        most, encrypted = self._most_bytes, False
        if upload.bucket_id is not None:
            async with self._database.autocommit() as tx:
                bucket = await self._buckets.get(tx, upload.bucket_id)
            if bucket is None:
                raise no_such_bucket()
            most, encrypted = self._writer.most_of(bucket), bucket.encrypted
        return (most if upload.length is None else upload.length), encrypted

    async def _set_length(self, lock: Lock, length: int) -> None:
        upload = lock.upload
        most, _ = await self._limits(upload)
        if upload.length is not None or length < upload.received:
            raise upload_length_known()
        if length > most:
            raise too_large(most)
        async with self._database.transaction() as tx:
            if not await self._store.set_length(tx, upload.id, lock.token, length):
                raise upload_interrupted()
        lock.upload = replace(upload, length=length)

    async def _write(
        self,
        caller: Caller,
        lock: Lock,
        source: Source,
        most: int,
        encrypted: bool,
        checksum: Checksum | None,
    ) -> None:
        """Stores what the source has; with a checksum nothing counts before all of it does."""
        last = await self._segments.last(lock.upload)
        written: list[Segment] = []
        at = lock.upload.received
        try:
            while await source.has_more():
                if at == most:
                    raise upload_exceeded()
                segment = await self._segments.fill(lock.upload, last, source, at, most, encrypted)
                written.append(segment)
                at += segment.new
                if at == most and await source.has_more():
                    raise upload_exceeded()
                last = segment.held
                if checksum is None:
                    await self._advance(caller, lock, written)
                    written = []
            if checksum is not None and source.is_complete:
                if not checksum.matches:
                    raise checksum_mismatch()
                await self._advance(caller, lock, written)
                written = []
        finally:
            if written:
                await self._segments.give_up(written)
        if lock.upload.is_whole and lock.upload.finished_at is None and not lock.upload.concat:
            await self._advance(caller, lock, [])

    async def _advance(self, caller: Caller, lock: Lock, written: Sequence[Segment]) -> None:
        """Moves the offset behind the segments, and makes an object of the upload if those were the last."""
        upload = lock.upload
        received = upload.received + sum(segment.new for segment in written)
        after = replace(upload, received=received)
        async with self._database.transaction() as tx:
            if not await self._store.advance(tx, upload.id, lock.token, upload.received, received):
                raise upload_interrupted()
            await self._segments.hold(tx, upload, written)
            if after.is_whole and upload.concat is None:
                await self._finish(tx, caller, upload)
                after = replace(after, finished_at=utc_now())
        lock.upload = after

    async def _finish(
        self, tx: Transaction, caller: Caller, upload: Upload, versions: Sequence[str] = ()
    ) -> None:
        """Makes an object of what came of the upload, or of others."""
        assert upload.bucket_id is not None
        assert upload.name is not None
        parts = await self._blobs.held(tx, *(versions or [upload.version]))
        said, principal = upload.said, caller.principal
        target = await self._writer.target(
            tx, principal, upload.bucket_id, upload.name, said.facts, upsert=upload.upsert
        )
        content = Content([], etag_of(parts), None, sum(part.size for part in parts))
        await self._writer.commit(tx, caller, target, content, said.facts, upload.version)
        await self._blobs.keep_held(
            tx,
            [part.key for part in parts],
            bucket=upload.bucket_id,
            owner=owner_of(principal),
            version=upload.version,
        )
        await self._store.finish(tx, upload.id)


def _checked_part(part: Upload | None, principal: Principal) -> Upload:
    if part is None or part.concat != "partial" or not part.is_of(principal):
        raise part_refused("One of the parts is not there.")
    if not part.is_whole:
        raise part_refused("One of the parts has not come whole.")
    return part
