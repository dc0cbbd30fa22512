"""Counts what is stored."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ogel.runtime.database.database import Database, Queries

_SQL = Queries.beside(__name__)
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


class StorageUsage(Struct, frozen=True):
    """Objects and bytes of all buckets; `buckets` are the fullest 1,000."""

    objects: int
    bytes: int
    passing: Passing
    buckets: Sequence[BucketUsage]


class UsageService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def usage(self) -> StorageUsage:
        async with self._database.autocommit() as tx:
            buckets = await tx.all(_SQL.buckets, None, BucketUsage)
        objects, size = sum(each.objects for each in buckets), sum(each.bytes for each in buckets)
        return StorageUsage(objects, size, await self.passing(), buckets[:MOST_BUCKETS])

    async def passing(self) -> Passing:
        async with self._database.autocommit() as tx:
            found = await tx.one(_SQL.passing, None, Passing)
        assert found is not None  # an aggregate has a row
        return found
