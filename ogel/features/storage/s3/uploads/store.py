"""Rows of multipart uploads, and of their parts."""

from __future__ import annotations

from uuid import UUID

import msgspec

from ogel.features.storage.buckets.store import its_bucket_told
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.policy import WRITE, is_operator, owner_of
from ogel.features.storage.s3.uploads.upload import Listed, Part, Upload
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)
_NO_ID = UUID(int=0)
_LAST_ID = UUID(int=2**128 - 1)


class MultipartStore:
    async def begin(
        self,
        tx: Transaction,
        principal: Principal,
        *,
        id: UUID,
        bucket: str,
        name: str,
        version: str,
        facts: Facts,
        seconds: float,
    ) -> None:
        """Raises StorageError NoSuchBucket."""
        parameters = {
            "id": id,
            "bucket": bucket,
            "name": name,
            "owner": owner_of(principal),
            "role": principal.role,
            "version": version,
            "facts": msgspec.json.encode(facts).decode(),
            "seconds": seconds,
        }
        with its_bucket_told():
            await tx.execute(_SQL.begin, parameters)

    async def count(self, tx: Transaction, owner: str, most: int) -> int:
        return int(await tx.value(_SQL.count, {"owner": owner, "most": most}))

    async def find(
        self, tx: Transaction, principal: Principal, id: UUID, bucket: str, name: str, *, lock: bool = False
    ) -> Upload | None:
        query = _SQL.find_locked if lock else _SQL.find
        return await tx.one(query, {"id": id, "bucket": bucket, "name": name, **_whose(principal)}, Upload)

    async def end(self, tx: Transaction, id: UUID) -> None:
        await tx.execute(_SQL.end, {"id": id})

    async def page(
        self,
        tx: Transaction,
        principal: Principal,
        bucket: str,
        *,
        prefix: str,
        after: str,
        after_id: UUID | None,
        limit: int,
    ) -> list[Listed]:
        parameters = {
            "bucket": bucket,
            "prefix": prefix,
            "after": after,
            "after_id": after_id or (_LAST_ID if after else _NO_ID),
            "limit": limit,
            **_whose(principal),
        }
        return await tx.all(_SQL.page, parameters, Listed)

    async def parts(self, tx: Transaction, version: str, after: int, limit: int) -> list[Part]:
        return await tx.all(_SQL.parts, {"version": version, "after": after, "limit": limit}, Part)

    async def others(self, tx: Transaction, version: str, number: int) -> tuple[list[str], int]:
        """The keys of the part's former blobs, and the bytes of all other parts."""
        [(keys, size)] = await tx.tuples(_SQL.others, {"version": version, "number": number})
        return keys, size


def _whose(principal: Principal) -> dict[str, object]:
    return {"any": is_operator(principal, WRITE), "owner": owner_of(principal)}
