"""Rows of buckets."""

from __future__ import annotations

from ogel.features.storage.buckets.bucket import Bucket, NewBucket
from ogel.runtime.database.database import Queries, Transaction

# The columns of a Bucket; others, which users added, are left alone.
_COLUMNS = b", ".join(name.encode() for name in Bucket.__struct_fields__)
_SQL = Queries.beside(__name__, bucket=_COLUMNS)


class BucketStore:
    async def create(self, tx: Transaction, new: NewBucket, owner_id: str | None) -> Bucket | None:
        """Returns None when there is one of that name."""
        parameters = {
            "id": new.id,
            "owner": owner_id,
            "owner_id": owner_id,
            "public": new.public,
            "file_size_limit": new.file_size_limit,
            "allowed_mime_types": None if new.allowed_mime_types is None else list(new.allowed_mime_types),
            "type": new.type,
        }
        return await tx.one(_SQL.create, parameters, Bucket)

    async def get(self, tx: Transaction, id: str) -> Bucket | None:
        return await tx.one(_SQL.get, {"id": id}, Bucket)

    async def get_locked(self, tx: Transaction, id: str) -> Bucket | None:
        return await tx.one(_SQL.get_locked, {"id": id}, Bucket)

    async def is_empty(self, tx: Transaction, id: str) -> bool:
        return bool(await tx.value(_SQL.is_empty, {"id": id}))

    async def delete(self, tx: Transaction, id: str) -> bool:
        return await tx.execute(_SQL.delete, {"id": id}) == 1
