"""Rows of blobs."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.storage.blobs.blob import Blob, Filled, Intent
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


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

    async def give_up(self, tx: Transaction, keys: Sequence[str]) -> None:
        await tx.execute(_SQL.give_up, {"keys": list(keys)})

    async def of_version(self, tx: Transaction, version: str) -> list[Blob]:
        return await tx.all(_SQL.of_version, {"version": version}, Blob)

    async def due(self, tx: Transaction, limit: int) -> list[str]:
        return [key for (key,) in await tx.tuples(_SQL.due, {"limit": limit})]

    async def forget(self, tx: Transaction, keys: Sequence[str]) -> int:
        return await tx.execute(_SQL.forget, {"keys": list(keys)})
