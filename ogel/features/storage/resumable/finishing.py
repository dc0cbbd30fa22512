"""Makes an object of what has come of an upload, or of several. Nothing is copied."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.storage.blobs.blob import Held
from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.errors import part_refused, upload_gone
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.objects.writing import Content, Inspect, ObjectWriter
from ogel.features.storage.policy import owner_of
from ogel.features.storage.resumable.segments import Segment, etag_of
from ogel.features.storage.resumable.store import UploadStore
from ogel.features.storage.resumable.upload import Upload
from ogel.features.storage.sniffing.signatures import HEAD_BYTES
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction


class Finisher:
    def __init__(
        self,
        database: Database,
        store: UploadStore,
        blobs: BlobService,
        writer: ObjectWriter,
        inspect: Inspect,
    ) -> None:
        self._database = database
        self._store = store
        self._blobs = blobs
        self._writer = writer
        self._inspect = inspect

    async def inspected(
        self, bucket: Bucket, facts: Facts, version: str, written: Sequence[Segment] = ()
    ) -> Facts:
        """
        What is to be known of the object, of which `version` is the first part, with what was `written` besides. Raises
        StorageError InvalidMimeType.
        """
        async with self._database.autocommit() as tx:
            held = await self._blobs.held(tx, version)
        replaced = {key for segment in written for key in segment.instead_of}
        parts = [*(part for part in held if part.key not in replaced), *(each.held for each in written)]
        # One that was joined with a later one of the same request is in both.
        blobs = [part.blob for part in parts if part.key not in replaced]
        most = min(HEAD_BYTES, sum(blob.size for blob in blobs))
        head = b"".join([piece async for piece in self._blobs.read(blobs, 0, most)])
        return self._inspect(bucket, facts, head)

    async def begin(self, tx: Transaction, upload: Upload) -> None:
        """Before anything is written that quotas count, or this and another upload would wait for each other."""
        assert upload.bucket_id is not None
        assert upload.name is not None
        await self._writer.lock(tx, upload.bucket_id, upload.name)

    async def finish(
        self, tx: Transaction, caller: Caller, upload: Upload, facts: Facts, versions: Sequence[str] = ()
    ) -> None:
        """Raises what ObjectWriter.commit raises, and StorageError InvalidPart. `versions` are those of its parts."""
        assert upload.bucket_id is not None
        assert upload.name is not None
        parts = await self._blobs.held(tx, *(versions or [upload.version]))
        target = await self._writer.target(
            tx, caller.principal, upload.bucket_id, upload.name, facts, upsert=upload.upsert
        )
        _check_sealed(target.bucket, parts)
        size = sum(part.size for part in parts)
        if size != upload.length:  # some were given up, as in a database that was restored
            raise upload_gone()
        content = Content([], etag_of(parts), None, size)
        await self._writer.commit(tx, caller, target, content, facts, upload.version)
        await self._blobs.keep_held(
            tx,
            [part.key for part in parts],
            bucket=upload.bucket_id,
            owner=owner_of(caller.principal),
            version=upload.version,
        )
        await self._store.finish(tx, upload.id)


def _check_sealed(bucket: Bucket, parts: Sequence[Held]) -> None:
    if bucket.encrypted and any(part.sealed_key is None for part in parts):
        raise part_refused("The bucket is encrypted: its bucketName belongs into the metadata of each part.")
