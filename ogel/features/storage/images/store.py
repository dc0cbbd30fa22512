"""Rows of renditions, which are blobs."""

from __future__ import annotations

from msgspec import Struct

from ogel.features.storage.blobs.blob import Blob, Filled
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class Kept(Struct, frozen=True):
    """A rendition that was stored."""

    key: str
    size: int
    md5: bytes
    sealed_key: bytes | None
    media_type: str

    @property
    def blob(self) -> Blob:
        return Blob(self.key, self.size, self.md5, self.sealed_key)


class RenditionStore:
    """`version` is the picture's; `rendition` tells what was made of it."""

    async def find(self, tx: Transaction, version: str, rendition: str) -> Kept | None:
        return await tx.one(_SQL.find, {"version": version, "rendition": rendition}, Kept)

    async def keep(
        self, tx: Transaction, filled: Filled, version: str, rendition: str, media_type: str
    ) -> bool:
        """
        Returns whether the picture is still there, and the blob. Raises psycopg's UniqueViolation: another one was
        faster.
        """
        parameters = {
            "key": filled.intent.key,
            "size": filled.size,
            "md5": filled.md5,
            "version": version,
            "rendition": rendition,
            "media_type": media_type,
        }
        return await tx.execute(_SQL.keep, parameters) == 1

    async def crowd_out(self, tx: Transaction, version: str, most: int) -> None:
        await tx.execute(_SQL.crowd_out, {"version": version, "most": most})
