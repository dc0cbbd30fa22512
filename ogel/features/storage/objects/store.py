"""Rows of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ogel.features.storage.objects.object import StoredObject
from ogel.runtime.database.database import Queries, Transaction

_COLUMNS = b", ".join(name.encode() for name in StoredObject.__struct_fields__)
_SQL = Queries.beside(__name__, object=_COLUMNS)


class ObjectRow(msgspec.Struct, frozen=True):
    """What is written of an object."""

    bucket: str
    name: str
    owner: str | None
    version: str
    metadata: dict[str, Any]
    user_metadata: Any
    sha256: bytes | None
    expires_at: Any
    scan_state: str = "none"

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

    async def lock_name(self, tx: Transaction, bucket: str, name: str) -> None:
        await tx.execute(_SQL.lock_name, {"bucket": bucket, "name": name})

    async def insert(self, tx: Transaction, row: ObjectRow) -> StoredObject:
        """Raises psycopg's UniqueViolation, ForeignKeyViolation (no such bucket), InsufficientPrivilege."""
        found = await tx.one(_SQL.insert, row.parameters(), StoredObject)
        assert found is not None
        return found

    async def replace(self, tx: Transaction, row: ObjectRow) -> StoredObject | None:
        """Returns None when there is none of that name, or none that may be changed."""
        return await tx.one(_SQL.replace, row.parameters(), StoredObject)

    async def delete(self, tx: Transaction, bucket: str, names: Sequence[str]) -> list[StoredObject]:
        """Returns those that were there, and could be deleted."""
        return await tx.all(_SQL.delete, {"bucket": bucket, "names": list(names)}, StoredObject)
