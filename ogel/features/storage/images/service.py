"""Renditions: what pictures become for those who want them smaller. Made once, kept with the picture, gone with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from msgspec import Struct
from psycopg import errors

from ogel.features.storage.blobs.blob import Blob
from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.errors import no_such_key, not_changed
from ogel.features.storage.images.pool import MOST_RESULT_BYTES, ImagePool
from ogel.features.storage.images.store import RenditionStore
from ogel.features.storage.images.wanted import Rendition
from ogel.features.storage.objects.reading import Found
from ogel.kernel.quantities import size as in_words
from ogel.runtime.database.database import Database
from ogel.runtime.objects import one

MOST_SOURCE_BYTES = 25 * 1024 * 1024
# Of one picture; the oldest make room.
MOST_RENDITIONS = 32


class Rendered(Struct, frozen=True):
    """A rendition that can be read."""

    blob: Blob
    media_type: str

    @property
    def etag(self) -> str:
        """With its quotes."""
        return f'"{(self.blob.md5 or b"").hex()}"'


class ImageService:
    def __init__(
        self, database: Database, blobs: BlobService, store: RenditionStore, pool: ImagePool
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._store = store
        self._pool = pool
        # By version and rendition: who wants the same waits for the same.
        self._under_way: dict[tuple[str, str], asyncio.Task[Rendered]] = {}

    async def render(self, client: str, found: Found, wanted: Rendition) -> Rendered:
        """
        `client` is who takes turns with others. Raises StorageError: what ImagePool.change raises, and NoSuchKey when
        the picture is deleted in the meantime.
        """
        object = found.object
        if object.size > MOST_SOURCE_BYTES:
            raise not_changed(f"It has more than {in_words(MOST_SOURCE_BYTES)}.")
        if (kept := await self._kept(object.version, wanted.key)) is not None:
            return kept
        key = (object.version, wanted.key)
        if (work := self._under_way.get(key)) is None:
            work = self._under_way[key] = asyncio.create_task(self._make(client, found, wanted))
            work.add_done_callback(lambda done: self._ended(key, done))
        # Who goes away does not end what others wait for.
        return await asyncio.shield(work)

    def read(self, rendered: Rendered, first: int, end: int) -> AsyncIterator[bytes]:
        return self._blobs.read([rendered.blob], first, end)

    def _ended(self, key: tuple[str, str], work: asyncio.Task[Rendered]) -> None:
        del self._under_way[key]
        if not work.cancelled():
            work.exception()  # has been seen, though perhaps by nobody

    async def _kept(self, version: str, rendition: str) -> Rendered | None:
        async with self._database.autocommit() as tx:
            kept = await self._store.find(tx, version, rendition)
        return None if kept is None else Rendered(kept.blob, kept.media_type)

    async def _make(self, client: str, found: Found, wanted: Rendition) -> Rendered:
        object = found.object
        picture = await self._pool.change(client, found.read(0, object.size), object.size, wanted)
        async with self._database.transaction() as tx:
            intent = await self._blobs.begin(
                tx,
                bucket=object.bucket_id,
                owner=None,
                reserve=0,
                encrypted=any(blob.sealed_key is not None for blob in found.blobs),
            )
        try:
            filled = await self._blobs.fill(intent, one(picture.content), MOST_RESULT_BYTES)
            async with self._database.transaction() as tx:
                if not await self._store.keep(tx, filled, object.version, wanted.key, picture.media_type):
                    raise no_such_key()
                await self._store.crowd_out(tx, object.version, MOST_RENDITIONS)
        except errors.UniqueViolation:
            await self._blobs.give_up([intent])
            if (kept := await self._kept(object.version, wanted.key)) is None:
                raise no_such_key() from None
            return kept
        except BaseException:
            await self._blobs.give_up([intent])
            raise
        return Rendered(
            Blob(filled.intent.key, filled.size, filled.md5, filled.intent.sealed_key), picture.media_type
        )
