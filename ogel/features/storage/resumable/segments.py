"""What an upload is stored in: blobs of up to 16 MiB, so that little is lost, and not of a few bytes each."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from msgspec import Struct

from ogel.features.storage.blobs.blob import Filled, Held
from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.resumable.source import Source
from ogel.features.storage.resumable.upload import Upload
from ogel.runtime.database.database import Database, Transaction

# A segment has no more bytes, and is stored when it has been coming for so long.
SEGMENT_BYTES = 16 * 1024 * 1024
_SECONDS = 15.0
# What follows a segment shorter than this is stored together with it, so that many small requests do not become as many
# blobs; of a large upload a larger one counts as short, so that there are about so many at most.
LEAST_BYTES = 1024 * 1024
_MOST_SEGMENTS = 4096
# What arrives at the last moment may still be stored.
_GRACE = timedelta(hours=1)


class Segment(Struct, frozen=True):
    """A stored segment. `new` of its bytes are behind the offset; the others were those of `instead_of`."""

    filled: Filled
    position: int
    new: int
    instead_of: Sequence[str]

    @property
    def held(self) -> Held:
        """As which the next one finds it."""
        filled = self.filled
        return Held(filled.intent.key, filled.size, filled.md5, filled.intent.sealed_key, self.position)


class Segments:
    def __init__(self, database: Database, blobs: BlobService) -> None:
        self._database = database
        self._blobs = blobs

    async def last(self, upload: Upload) -> Held | None:
        async with self._database.autocommit() as tx:
            return await self._blobs.last_held(tx, upload.version)

    async def fill(
        self, upload: Upload, last: Held | None, source: Source, at: int, end: int, encrypted: bool
    ) -> Segment:
        """Stores the bytes of the upload from `at` on, as many as make a segment; it will not have more than `end`."""
        least = max(LEAST_BYTES, end // _MOST_SEGMENTS)
        short = last if last is not None and last.size < least else None
        before, most = (0 if short is None else short.size), min(end - at, SEGMENT_BYTES)

        async def content() -> AsyncIterator[bytes]:
            if short is not None:
                async for piece in self._blobs.read([short.blob], 0, short.size):
                    yield piece
            async for piece in source.segment(most, _SECONDS):
                yield piece

        async with self._database.transaction() as tx:
            intent = await self._blobs.begin(
                tx, bucket=upload.bucket_id, owner=upload.owner_id, reserve=0, encrypted=encrypted
            )
        try:
            filled = await self._blobs.fill(intent, content(), before + most)
        except BaseException:
            await self._blobs.give_up([intent])
            raise
        position = 0 if last is None else last.position + (short is None)
        return Segment(filled, position, filled.size - before, [] if short is None else [short.key])

    async def hold(self, tx: Transaction, upload: Upload, segments: Sequence[Segment]) -> None:
        """Makes them part of the upload."""
        for segment in segments:
            await self._blobs.hold(
                tx,
                segment.filled,
                version=upload.version,
                position=segment.position,
                until=upload.expires_at + _GRACE,
                instead_of=segment.instead_of,
            )

    async def give_up(self, segments: Sequence[Segment]) -> None:
        await self._blobs.give_up([segment.filled.intent for segment in segments])


def etag_of(parts: Sequence[Held]) -> str:
    """As S3 has it: of one part its MD5, of several the MD5 of theirs, and how many."""
    if len(parts) == 1:
        return f'"{parts[0].md5.hex()}"'
    of_all = hashlib.md5(b"".join(part.md5 for part in parts), usedforsecurity=False).hexdigest()
    return f'"{of_all}-{len(parts)}"' if parts else f'"{of_all}"'
