"""Rows of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec

from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.objects.object import ScanState, StoredObject
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.database.pieces import Piece

_COLUMNS = b", ".join(name.encode() for name in StoredObject.__struct_fields__)
_OF_OBJECT = b", ".join(b"o." + name.encode() for name in StoredObject.__struct_fields__)
_OF_BUCKET = b", ".join(b"b." + name.encode() for name in Bucket.__struct_fields__)
OBJECT_FIELDS, BUCKET_FIELDS = len(StoredObject.__struct_fields__), len(Bucket.__struct_fields__)
_WRITTEN = b"""
INSERT INTO objects (bucket_id, name, owner, owner_id, metadata, user_metadata, version, sha256, expires_at, scan_state)
VALUES (
  %(bucket)s, %(name)s, %(owner)s::text::uuid, %(owner)s::text, %(metadata)s::jsonb, %(user_metadata)s::jsonb,
  %(version)s, %(sha256)s, %(expires_at)s, %(scan_state)s
)
""".strip()
_SQL = Queries.beside(__name__, object=_COLUMNS, object_of=_OF_OBJECT, bucket_of=_OF_BUCKET, written=_WRITTEN)


class Upserted(StoredObject, frozen=True, kw_only=True):
    """`is_new`: there was none of its name."""

    is_new: bool


class ObjectRow(msgspec.Struct, frozen=True):
    """What is written of an object."""

    bucket: str
    name: str
    owner: str | None
    version: str
    metadata: dict[str, Any]
    user_metadata: Any
    sha256: bytes | None
    expires_at: datetime | None
    scan_state: ScanState = "none"

    def parameters(self) -> dict[str, Any]:
        written = {name: getattr(self, name) for name in self.__struct_fields__}
        for name in ("metadata", "user_metadata"):
            if written[name] is not None:
                written[name] = msgspec.json.encode(written[name]).decode()
        return written


class ObjectRows:
    async def get(self, tx: Transaction, bucket: str, name: str) -> StoredObject | None:
        return await tx.one(_SQL.get, {"bucket": bucket, "name": name}, StoredObject)

    async def get_public(self, tx: Transaction, bucket: str, name: str) -> StoredObject | None:
        return await tx.one(_SQL.get_public, {"bucket": bucket, "name": name}, StoredObject)

    async def is_public(self, tx: Transaction, bucket: str) -> bool | None:
        """Whether the bucket is; None: there is none."""
        found = await tx.value(_SQL.is_public, {"bucket": bucket})
        return None if found is None else bool(found)

    async def insert(self, tx: Transaction, row: ObjectRow) -> StoredObject | None:
        """
        Returns None when a trigger of users did not want it. Raises psycopg's UniqueViolation, ForeignKeyViolation (no
        such bucket), InsufficientPrivilege.
        """
        return await tx.one(_SQL.insert, row.parameters(), StoredObject)

    async def insert_unseen(self, tx: Transaction, row: ObjectRow) -> None:
        """As `insert`, for who may write and not read."""
        await tx.execute(_SQL.insert_unseen, row.parameters())

    async def upsert(self, tx: Transaction, row: ObjectRow) -> Upserted | None:
        """As `insert`; there is no UniqueViolation."""
        return await tx.one(_SQL.upsert, row.parameters(), Upserted)

    async def delete_expired(self, tx: Transaction, bucket: str, name: str) -> StoredObject | None:
        return await tx.one(_SQL.delete_expired, {"bucket": bucket, "name": name}, StoredObject)

    async def get_locked(self, tx: Transaction, bucket: str, name: str) -> StoredObject | None:
        return await tx.one(_SQL.get_locked, {"bucket": bucket, "name": name}, StoredObject)

    async def move(
        self, tx: Transaction, found: StoredObject, to_bucket: str, to_name: str, *, scanned: bool
    ) -> StoredObject | None:
        """
        Returns None when it is gone by now, or may not be changed. Raises psycopg's
        UniqueViolation, ForeignKeyViolation (no such bucket), InsufficientPrivilege.
        """
        parameters = {
            "bucket": found.bucket_id,
            "name": found.name,
            "to_bucket": to_bucket,
            "to_name": to_name,
            "scanned": scanned,
        }
        return await tx.one(_SQL.move, parameters, StoredObject)

    async def delete(self, tx: Transaction, bucket: str, names: Sequence[str]) -> list[StoredObject]:
        """Returns those that were there, and could be deleted."""
        return await tx.all(_SQL.delete, {"bucket": bucket, "names": list(names)}, StoredObject)

    async def delete_some(
        self, tx: Transaction, bucket: str, until: datetime, limit: int
    ) -> list[StoredObject]:
        """Those that others are writing to are left out."""
        parameters = {"bucket": bucket, "until": until, "limit": limit}
        return await tx.all(_SQL.delete_some, parameters, StoredObject)

    async def find(
        self, tx: Transaction, sought: Sequence[tuple[str, str, bool]]
    ) -> Sequence[tuple[Any, ...]]:
        """
        By bucket, name, and whether it must be public. Rows are which it is, counted from 1, keys, sizes, md5s and
        sealed keys of its blobs, and the fields of a StoredObject.
        """
        buckets, names, public = zip(*sought, strict=True)
        parameters = {"buckets": list(buckets), "names": list(names), "public": list(public)}
        return await tx.tuples(_SQL.find, parameters)

    async def look(
        self, tx: Transaction, sought: Sequence[tuple[str, str, bool]]
    ) -> Sequence[tuple[Any, ...]]:
        """
        A row for each: whether the bucket has a quota, the fields of the Bucket, and those of the StoredObject that is
        there, or as many None.
        """
        buckets, names, _ = zip(*sought, strict=True)
        return await tx.tuples(_SQL.look, {"buckets": list(buckets), "names": list(names)})

    async def now(self, tx: Transaction) -> datetime:
        """By the clock that rows are dated by."""
        return cast(datetime, await tx.value(_SQL.now))


# What `written` says when it is done, about the time that the objects have.
WRITTEN = "written"


def written(rows: Sequence[Mapping[str, Any]]) -> Sequence[Piece]:
    """
    Writes objects with their blobs, in the statement that writes the events. It fails where not all is as it was seen.
    """
    return [
        Piece("written", _SQL.written, {"written": records(rows)}),
        *(Piece(name, getattr(_SQL, name), {}) for name in ("objects_made", "objects_changed", "blobs_kept")),
        Piece(
            "objects_written",
            _SQL.objects_written,
            {},
            says=b"SELECT 'written', moment::text FROM objects_written",
        ),
    ]
