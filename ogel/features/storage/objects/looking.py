"""Finds objects for those whom no policy stops: requests that come together are answered by one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ogel.features.storage.blobs.blob import Blob
from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.objects.object import StoredObject
from ogel.features.storage.objects.store import BUCKET_FIELDS, OBJECT_FIELDS, ObjectRows
from ogel.runtime.database.database import Database
from ogel.runtime.together import Together

_MOST = 64


class Sought(NamedTuple):
    """`public`: only in a public bucket."""

    bucket: str
    name: str
    public: bool = False


class Seen(NamedTuple):
    """Where something is to be stored: what is there, and whether a quota counts it."""

    bucket: Bucket | None
    object: StoredObject | None
    counted: bool


class Lookout:
    def __init__(self, database: Database, rows: ObjectRows) -> None:
        self._database = database
        self._rows = rows
        self._objects = Together(self._find, _MOST)
        self._places = Together(self._look, _MOST)

    async def object(self, sought: Sought) -> tuple[StoredObject, Sequence[Blob]] | None:
        return await self._objects.ask(sought)

    async def place(self, bucket: str, name: str) -> Seen:
        return await self._places.ask(Sought(bucket, name))

    async def _find(self, sought: Sequence[Sought]) -> Sequence[tuple[StoredObject, Sequence[Blob]] | None]:
        found: list[tuple[StoredObject, Sequence[Blob]] | None] = [None] * len(sought)
        async with self._database.autocommit() as tx:
            for number, keys, sizes, md5s, sealed, *columns in await self._rows.find(tx, sought):
                blobs = [Blob(*each) for each in zip(keys, sizes, md5s, sealed, strict=True)]
                found[number - 1] = StoredObject(*columns), blobs
        return found

    async def _look(self, sought: Sequence[Sought]) -> Sequence[Seen]:
        async with self._database.autocommit() as tx:
            return [_place(row) for row in await self._rows.look(tx, sought)]


def _place(row: Sequence[Any]) -> Seen:
    counted, columns = row[0], row[1:]
    bucket, object = columns[:BUCKET_FIELDS], columns[BUCKET_FIELDS : BUCKET_FIELDS + OBJECT_FIELDS]
    return Seen(
        None if bucket[0] is None else Bucket(*bucket),
        None if object[0] is None else StoredObject(*object),
        counted,
    )
