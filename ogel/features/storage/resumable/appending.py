"""Stores what a request brings of an upload, segment by segment, and makes an object of it with the last."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.errors import checksum_mismatch, upload_exceeded, upload_interrupted
from ogel.features.storage.resumable.finishing import Finisher
from ogel.features.storage.resumable.locks import Lock
from ogel.features.storage.resumable.segments import Segment, Segments
from ogel.features.storage.resumable.source import Source
from ogel.features.storage.resumable.store import UploadStore
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database


class Appender:
    def __init__(
        self, database: Database, store: UploadStore, segments: Segments, finisher: Finisher
    ) -> None:
        self._database = database
        self._store = store
        self._segments = segments
        self._finisher = finisher

    async def append(
        self, caller: Caller, lock: Lock, bucket: Bucket | None, source: Source, most: int
    ) -> None:
        """
        Stores what the source has, behind what the upload has; it is to have no more than `most` bytes. With a checksum
        nothing counts before all of it does. Raises StorageError, EntityTooLarge for more bytes, InvalidChecksum,
        ResourceLocked, and those of the object that it becomes.
        """
        last = await self._segments.last(lock.upload)
        at, encrypted = lock.upload.received, bucket is not None and bucket.encrypted
        # Stored, and not counted yet.
        written: list[Segment] = []
        try:
            while await source.has_more():
                if at == most:
                    raise upload_exceeded()
                segment = await self._segments.fill(lock.upload, last, source, at, most, encrypted)
                written.append(segment)
                last, at = segment.held, at + segment.new
                if at == most and await source.has_more():
                    raise upload_exceeded()
                if source.checksum is None:
                    await self._count(caller, lock, bucket, written)
                    written = []
            if source.checksum is not None and source.is_complete:
                if not source.checksum.matches:
                    raise checksum_mismatch()
                await self._count(caller, lock, bucket, written)
                written = []
        finally:
            if written:
                await self._segments.give_up(written)
        if lock.upload.is_ready:  # its length has become known, and nothing else has come
            await self._count(caller, lock, bucket, [])

    async def _count(
        self, caller: Caller, lock: Lock, bucket: Bucket | None, written: Sequence[Segment]
    ) -> None:
        """Moves the offset behind the segments, and makes an object of the upload if those were the last."""
        upload = lock.upload
        received = upload.received + sum(segment.new for segment in written)
        after, facts = replace(upload, received=received), upload.said.facts
        if after.is_ready and bucket is not None:
            facts = await self._finisher.inspected(bucket, facts, upload.version, written)
        async with self._database.transaction() as tx:
            if not await self._store.advance(tx, upload.id, lock.token, upload.received, received):
                raise upload_interrupted()
            if after.is_ready:
                await self._finisher.begin(tx, upload)
            await self._segments.hold(tx, upload, written)
            if after.is_ready:
                await self._finisher.finish(tx, caller, upload, facts)
                after = replace(after, finished_at=utc_now())
        lock.upload = after
