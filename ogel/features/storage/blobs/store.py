"""Rows of blobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ogel.features.storage.blobs.blob import Blob, Filled, Held, Intent
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class Due(Struct, frozen=True):
    """A blob whose time is over. `was_never_kept`: it may be that its bytes are still on their way to the store."""

    key: str
    was_never_kept: bool


class BlobStore:
    async def begin(
        self,
        tx: Transaction,
        intent: Intent,
        seconds: float,
        *,
        bucket: str | None,
        owner: str | None,
        size: int,
        version: str | None = None,
        position: int = 0,
    ) -> None:
        parameters = {
            "key": intent.key,
            "sealed_key": intent.sealed_key,
            "seconds": seconds,
            "bucket": bucket,
            "owner": owner,
            "size": size,
            "version": version,
            "position": position,
        }
        await tx.execute(_SQL.begin, parameters)

    async def announce(self, tx: Transaction, keys: Sequence[str], seconds: float) -> None:
        await tx.execute(_SQL.announce, {"keys": list(keys), "seconds": seconds})

    async def keep(
        self, tx: Transaction, filled: Filled, *, bucket: str, owner: str | None, version: str, position: int
    ) -> bool:
        """Returns whether it was still there to be kept."""
        parameters = {
            "key": filled.intent.key,
            "size": filled.size,
            "md5": filled.md5,
            "bucket": bucket,
            "owner": owner,
            "version": version,
            "position": position,
        }
        return await tx.execute(_SQL.keep, parameters) == 1

    async def hold(
        self, tx: Transaction, filled: Filled, *, version: str, position: int, until: datetime
    ) -> bool:
        """Returns whether it was still there to be held."""
        parameters = {
            "key": filled.intent.key,
            "size": filled.size,
            "md5": filled.md5,
            "version": version,
            "position": position,
            "until": until,
        }
        return await tx.execute(_SQL.hold, parameters) == 1

    async def held(self, tx: Transaction, versions: Sequence[str]) -> list[Held]:
        return await tx.all(_SQL.held, {"versions": list(versions)}, Held)

    async def last_held(self, tx: Transaction, version: str) -> Held | None:
        return await tx.one(_SQL.last_held, {"version": version}, Held)

    async def keep_held(
        self, tx: Transaction, keys: Sequence[str], *, bucket: str, owner: str | None, version: str
    ) -> int:
        """Returns how many were still there to be kept."""
        parameters = {"keys": list(keys), "bucket": bucket, "owner": owner, "version": version}
        return await tx.execute(_SQL.keep_held, parameters)

    async def drop_held(self, tx: Transaction, version: str) -> int:
        return await tx.execute(_SQL.drop_held, {"version": version})

    async def unreserve(self, tx: Transaction, key: str) -> None:
        await tx.execute(_SQL.unreserve, {"key": key})

    async def give_up(self, tx: Transaction, keys: Sequence[str]) -> None:
        await tx.execute(_SQL.give_up, {"keys": list(keys)})

    async def of_version(self, tx: Transaction, version: str) -> list[Blob]:
        return await tx.all(_SQL.of_version, {"version": version}, Blob)

    async def renew(self, tx: Transaction, key: str, seconds: float) -> bool:
        """Returns whether it was still there to be written."""
        return await tx.execute(_SQL.renew, {"key": key, "seconds": seconds}) == 1

    async def claim_due(self, tx: Transaction, limit: int) -> list[Due]:
        """Those whose time is over; nobody keeps or claims them for some minutes."""
        return await tx.all(_SQL.claim_due, {"limit": limit}, Due)

    async def forget(self, tx: Transaction, deleted: Sequence[Due]) -> None:
        never_kept = [blob.key for blob in deleted if blob.was_never_kept]
        gone = [blob.key for blob in deleted if not blob.was_never_kept]
        await tx.execute(_SQL.forget, {"gone": gone, "never_kept": never_kept})
