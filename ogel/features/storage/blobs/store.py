"""Rows of blobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ogel.features.storage.blobs.blob import Blob, Filled, Held, Intent
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

    async def give_up(self, tx: Transaction, keys: Sequence[str]) -> None:
        await tx.execute(_SQL.give_up, {"keys": list(keys)})

    async def of_version(self, tx: Transaction, version: str) -> list[Blob]:
        return await tx.all(_SQL.of_version, {"version": version}, Blob)

    async def due(self, tx: Transaction, limit: int) -> list[str]:
        return [key for (key,) in await tx.tuples(_SQL.due, {"limit": limit})]

    async def forget(self, tx: Transaction, keys: Sequence[str]) -> int:
        return await tx.execute(_SQL.forget, {"keys": list(keys)})
