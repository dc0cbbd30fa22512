"""Rows of direct uploads."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from ogel.features.storage.buckets.store import its_bucket_told
from ogel.features.storage.direct.upload import DirectUpload, Said
from ogel.features.storage.resumable.upload import writer
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Queries, Transaction

_COLUMNS = b", ".join(name.encode() for name in DirectUpload.__struct_fields__)
_SQL = Queries.beside(__name__, upload=_COLUMNS)


class DirectStore:
    async def create(
        self,
        tx: Transaction,
        principal: Principal,
        id: UUID,
        *,
        bucket: str,
        name: str,
        version: str,
        length: int,
        upsert: bool,
        said: Said,
        until: datetime,
    ) -> None:
        """Raises StorageError NoSuchBucket."""
        owner, role = writer(principal)
        parameters = {
            "id": id,
            "bucket": bucket,
            "name": name,
            "owner": owner,
            "role": role,
            "version": version,
            "length": length,
            "upsert": upsert,
            "facts": msgspec.json.encode(said).decode(),
            "until": until,
        }
        with its_bucket_told():
            await tx.execute(_SQL.create, parameters)

    async def open(self, tx: Transaction, owner: str) -> int:
        """How many of a user's are not confirmed."""
        return int(await tx.value(_SQL.open, {"owner": owner}))

    async def get(self, tx: Transaction, id: UUID) -> DirectUpload | None:
        return await tx.one(_SQL.get, {"id": id}, DirectUpload)

    async def lock(self, tx: Transaction, id: UUID) -> DirectUpload | None:
        return await tx.one(_SQL.lock, {"id": id}, DirectUpload)

    async def finish(self, tx: Transaction, id: UUID) -> None:
        await tx.execute(_SQL.finish, {"id": id})
