"""The rules of files that are sent in a form: which bucket they go to, and what they are called there."""

from __future__ import annotations

from collections.abc import AsyncIterable
from uuid import uuid4

from msgspec import Struct

from ogel.features.storage.buckets.bucket import NewBucket
from ogel.features.storage.buckets.service import BucketService
from ogel.features.storage.errors import NO_SUCH_BUCKET, StorageError
from ogel.features.storage.forms.names import filename_of
from ogel.features.storage.objects.object import Facts, StoredObject
from ogel.features.storage.objects.writing import ObjectWriter
from ogel.features.storage.types import is_one_type
from ogel.kernel.principal import SYSTEM, Caller

# Made when the first file is sent to it: people who have signed in add files, which are theirs alone.
DEFAULT_BUCKET = "uploads"
_OWNERS = ("read", "update", "delete")
_PERMISSIONS = {"create": ["users"], **{action: ["owner"] for action in _OWNERS}}


class Uploaded(Struct, frozen=True):
    """
    filename  as it was kept: what the client called it, without directories.
    path      bucket and name, as they follow `/storage/v1/object/authenticated/`.
    size      in bytes.
    """

    id: str
    filename: str
    path: str
    size: int


class FormUploads:
    def __init__(self, buckets: BucketService, writer: ObjectWriter) -> None:
        self._buckets = buckets
        self._writer = writer

    async def store(
        self,
        caller: Caller,
        bucket: str,
        sent_name: str,
        content: AsyncIterable[bytes],
        content_type: str | None,
    ) -> Uploaded:
        """
        Stores a file under a name that no other has. Raises what ObjectWriter.put raises: NoSuchBucket of other
        buckets than the default one.
        """
        filename = filename_of(sent_name)
        name = f"{uuid4().hex}/{filename}"
        facts = Facts(content_type) if content_type and is_one_type(content_type) else Facts()
        try:
            stored = await self._put(caller, bucket, name, content, facts)
        except StorageError as error:
            # It is said before the first byte is read.
            if error.code != NO_SUCH_BUCKET or bucket != DEFAULT_BUCKET:
                raise
            await self._make_default(caller)
            stored = await self._put(caller, bucket, name, content, facts)
        return Uploaded(str(stored.id), filename, f"{bucket}/{stored.name}", stored.size)

    async def _put(
        self, caller: Caller, bucket: str, name: str, content: AsyncIterable[bytes], facts: Facts
    ) -> StoredObject:
        return await self._writer.put(caller, bucket, name, content, facts, length=None, upsert=False)

    async def _make_default(self, caller: Caller) -> None:
        """Ogel makes it, whoever asks: who may store a file need not be one who may make buckets."""
        try:
            await self._buckets.create(
                Caller(SYSTEM, caller.request_id), NewBucket(DEFAULT_BUCKET, permissions=_PERMISSIONS)
            )
        except StorageError as error:
            if error.code != "BucketAlreadyExists":  # two at once are both right
                raise
