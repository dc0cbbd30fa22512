"""Counts what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ogel.kernel.errors import Unavailable
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.objects import ObjectStore

_SQL = Queries.beside(__name__)
# Keys of a few blobs that should be in the store.
SOME_BLOBS = _SQL.some
# Of the answer; the sums are of all.
MOST_BUCKETS = 1000


class BucketUsage(Struct, frozen=True):
    """`max_bytes` is its quota; null: it has none."""

    bucket: str
    objects: int
    bytes: int
    max_bytes: int | None


class Passing(Struct, frozen=True):
    """
    Blobs that are no object's.

    pending       of uploads under way that say how large they are; small ones are over too soon to be counted.
    deleting      of what was replaced or deleted, in the store for ten minutes more.
    late_seconds  since when the first of them should be gone; 0: none is due.
    """

    pending: int
    pending_bytes: int
    deleting: int
    deleting_bytes: int
    late_seconds: float


Store = Literal["ours", "another", "empty", "away"]


class StorageUsage(Struct, frozen=True):
    """
    Objects and bytes of all buckets; `buckets` are the fullest 1,000.

    store  of the process that answers: `another` has none of some blobs that should be there, as when processes on
           several machines have a directory each; `empty`: nothing is stored yet that could tell; `away`: it does not
           answer.
    """

    objects: int
    bytes: int
    passing: Passing
    buckets: Sequence[BucketUsage]
    store: Store


class UsageService:
    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self._database = database
        self._objects = objects

    async def usage(self) -> StorageUsage:
        buckets = await self.buckets()
        objects, size = sum(each.objects for each in buckets), sum(each.bytes for each in buckets)
        passing, store = await self.passing(), await self.store()
        return StorageUsage(objects, size, passing, buckets[:MOST_BUCKETS], store)

    async def buckets(self) -> Sequence[BucketUsage]:
        """All of them, the fullest first."""
        async with self._database.autocommit() as tx:
            return await tx.all(_SQL.buckets, None, BucketUsage)

    async def store(self) -> Store:
        async with self._database.autocommit() as tx:
            keys = [key for (key,) in await tx.tuples(SOME_BLOBS)]
        if not keys:
            return "empty"
        try:
            found = await asyncio.gather(*(self._objects.stat(key) for key in keys))
        except Unavailable:
            return "away"
        return "ours" if any(found) else "another"

    async def passing(self) -> Passing:
        async with self._database.autocommit() as tx:
            found = await tx.one(_SQL.passing, None, Passing)
        assert found is not None  # an aggregate has a row
        return found
