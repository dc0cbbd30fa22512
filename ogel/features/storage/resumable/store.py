"""Rows of uploads."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from ogel.features.storage.buckets.store import its_bucket_told
from ogel.features.storage.resumable.upload import NewUpload, Upload, writer
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.purge import Purge

_COLUMNS = b", ".join(name.encode() for name in Upload.__struct_fields__)
_SQL = Queries.beside(__name__, upload=_COLUMNS)
# A lock ends by itself after this, unless it is renewed.
LOCK_SECONDS = 30.0
_DAYS = 1.0


class Found(Struct, frozen=True):
    """An upload, whether a request writes to it, and whether the object that it became is gone."""

    is_busy: bool
    is_lost: bool
    upload: Upload


class UploadStore:
    async def create(
        self, tx: Transaction, principal: Principal, new: NewUpload, seconds: float, received: int = 0
    ) -> Upload:
        """Raises StorageError NoSuchBucket."""
        owner, role = writer(principal)
        parameters = {
            "id": uuid4(),
            "bucket": new.bucket,
            "name": new.name,
            "owner": owner,
            "role": role,
            "version": str(uuid4()),
            "length": new.length,
            "received": received,
            "upsert": new.upsert,
            "facts": msgspec.json.encode(new.said).decode(),
            "concat": "partial" if new.is_part else "final" if new.said.concat else None,
            "seconds": seconds,
        }
        with its_bucket_told():
            upload = await tx.one(_SQL.create, parameters, Upload)
        assert upload is not None
        return upload

    async def get(self, tx: Transaction, id: UUID) -> Found | None:
        found = await tx.tuples(_SQL.get, {"id": id})
        for is_busy, is_lost, *upload in found:
            return Found(is_busy, is_lost, Upload(*upload))
        return None

    async def open(self, tx: Transaction, owner: str) -> tuple[int, int]:
        """How many uploads of a user go on, and the bytes of those that belong to no bucket."""
        [(count, homeless)] = await tx.tuples(_SQL.open, {"owner": owner})
        return count, homeless

    async def lock(self, tx: Transaction, id: UUID, token: UUID, *, force: bool = False) -> Upload | None:
        """Returns None when another has the lock, or there is no such upload. With `force` the other loses it."""
        parameters = {"id": id, "token": token, "seconds": LOCK_SECONDS, "force": force}
        return await tx.one(_SQL.lock, parameters, Upload)

    async def ask_release(self, tx: Transaction, id: UUID) -> None:
        await tx.execute(_SQL.ask_release, {"id": id})

    async def renew(self, tx: Transaction, id: UUID, token: UUID) -> bool:
        """Returns whether the lock is still one's own and nobody waits for it."""
        return await tx.value(_SQL.renew, {"id": id, "token": token, "seconds": LOCK_SECONDS}) is False

    async def look(self, tx: Transaction, id: UUID, token: UUID) -> bool:
        """As `renew`, without renewing."""
        return await tx.value(_SQL.look, {"id": id, "token": token}) is False

    async def unlock(self, tx: Transaction, id: UUID, token: UUID) -> None:
        await tx.execute(_SQL.unlock, {"id": id, "token": token})

    async def advance(self, tx: Transaction, id: UUID, token: UUID, offset: int, received: int) -> bool:
        """Returns whether the lock was still one's own."""
        parameters = {"id": id, "token": token, "offset": offset, "received": received}
        return await tx.execute(_SQL.advance, parameters) == 1

    async def set_length(self, tx: Transaction, id: UUID, token: UUID, length: int) -> bool:
        return await tx.execute(_SQL.set_length, {"id": id, "token": token, "length": length}) == 1

    async def finish(self, tx: Transaction, id: UUID) -> None:
        await tx.execute(_SQL.finish, {"id": id})

    async def final(self, tx: Transaction, principal: Principal, new: NewUpload) -> Upload | None:
        """Returns what the principal has put together of the same parts already, if it is still there."""
        owner, role = writer(principal)
        said = {"bucket": new.bucket, "name": new.name, "concat": new.said.concat}
        return await tx.one(_SQL.final, {**said, "owner": owner, "role": role}, Upload)

    async def lock_parts(self, tx: Transaction, ids: Sequence[UUID]) -> list[Upload]:
        return await tx.all(_SQL.lock_parts, {"ids": list(ids)}, Upload)

    async def delete(self, tx: Transaction, ids: Sequence[UUID]) -> int:
        """Returns how many of them were there and had not become objects. What came of them goes with them."""
        return await tx.execute(_SQL.delete, {"ids": list(ids)})


def purge() -> Purge:
    return Purge.of_queries(
        "storage_uploads",
        "uploads that nobody finished in time, and what is remembered of those that were",
        _DAYS,
        count=_SQL.count_expired,
        batch=_SQL.purge_expired,
    )
