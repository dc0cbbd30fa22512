"""The s3_keys table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ogel.features.storage.s3_keys.key import S3Key
from ogel.runtime.database.database import Queries, Transaction

_KEY = b"id AS access_key_id, name, buckets, read_only, made_by, created_at, last_used_at, revoked_at"
_SQL = Queries.beside(__name__, key=_KEY)


class Good(NamedTuple):
    """A key that is not revoked. `secret` is sealed; `is_fresh`: that it is in use is not yet noted this hour."""

    secret: bytes
    buckets: list[str] | None
    read_only: bool
    is_fresh: bool


class S3KeyStore:
    async def insert(self, tx: Transaction, row: Mapping[str, object]) -> S3Key:
        made = await tx.one(_SQL.insert, row, S3Key)
        assert made is not None
        return made

    async def page(self, tx: Transaction, after: str | None, limit: int) -> list[S3Key]:
        """Newest first."""
        return await tx.all(_SQL.page, {"after": after, "limit": limit}, S3Key)

    async def get(self, tx: Transaction, id: str) -> S3Key | None:
        return await tx.one(_SQL.get, {"id": id}, S3Key)

    async def find(self, tx: Transaction, id: str) -> Good | None:
        rows = await tx.tuples(_SQL.find, {"id": id})
        return Good(*rows[0]) if rows else None

    async def note_use(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.note_use, {"id": id})

    async def revoke(self, tx: Transaction, id: str) -> S3Key | None:
        """Returns None for one that is unknown, or revoked already."""
        return await tx.one(_SQL.revoke, {"id": id}, S3Key)
