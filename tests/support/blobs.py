"""Blobs as the service sees them, on the database and the store of a test."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from ogel.features.storage.blobs.blob import Blob, Filled, Intent
from ogel.features.storage.blobs.service import LEASE, BlobService, Lease
from ogel.features.storage.blobs.store import BlobStore
from ogel.runtime.objects import ObjectStore, one
from tests.support.world import World

Value = TypeVar("Value")


class Blobs:
    """The service, on the world's database and store, with what tests look at."""

    def __init__(self, api: World, objects: ObjectStore | None = None, lease: Lease = LEASE) -> None:
        core = api.platform.core
        self.api = api
        self.database = core.database
        self.objects = objects or core.objects
        self.service = BlobService(core.database, self.objects, BlobStore(), core.vault, lease)

    def run(self, story: Coroutine[Any, Any, Value]) -> Value:
        return self.api.run(story)

    async def begin(self, bucket: str = "nowhere", *, encrypted: bool = False) -> Intent:
        async with self.database.transaction() as tx:
            return await self.service.begin(tx, bucket=bucket, owner=None, reserve=0, encrypted=encrypted)

    async def filled(self, content: bytes) -> Filled:
        return await self.service.fill(await self.begin(), one(content), 1000)

    async def kept(self, content: bytes, version: str, position: int = 0, bucket: str = "nowhere") -> Blob:
        filled = await self.filled(content)
        async with self.database.transaction() as tx:
            await self.service.keep(tx, filled, bucket=bucket, owner=None, version=version, position=position)
        return Blob(filled.intent.key, filled.size, filled.md5)

    async def rows(self, *keys: str) -> dict[str, tuple[str, float]]:
        """The state of each, and the seconds until its time is over."""
        found = await self.tuples(
            b"SELECT key, state, extract(epoch FROM until - now())::float FROM ogel.storage_blobs"
            b" WHERE key = ANY (%(keys)s)",
            {"keys": list(keys)},
        )
        return {key: (state, seconds) for key, state, seconds in found}

    async def time_is_over(self, *keys: str) -> None:
        await self.tuples(
            b"UPDATE ogel.storage_blobs SET until = now() - interval '1 second' WHERE key = ANY (%(keys)s)"
            b" RETURNING 1",
            {"keys": list(keys)},
        )

    async def tuples(self, query: bytes, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        async with self.database.autocommit() as tx:
            return await tx.tuples(query, parameters)

    async def is_stored(self, key: str) -> bool:
        return await self.objects.stat(key) is not None
