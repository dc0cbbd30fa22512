"""The platform_databases table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from psycopg.errors import UniqueViolation

from ogel.features.databases.registry.database import UNCHECKED, Check, RegisteredDatabase
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.database.registered import DatabaseType, SslMode

_SQL = Queries.beside(__name__)
_HEALTH = tuple(Check.__struct_fields__)


class SealedTarget(Struct, frozen=True):
    """The address of a database, with the password as it is stored."""

    id: str
    type: DatabaseType
    host: str
    port: int
    database: str
    username: str | None
    ssl_mode: SslMode
    auth_source: str | None
    sealed_password: bytes | None
    version: int


class RegistryStore:
    async def insert(self, tx: Transaction, row: Mapping[str, Any]) -> bool:
        """Returns False when the name is taken."""
        return await tx.value(_SQL.insert_database, _written(row)) is not None

    async def count(self, tx: Transaction) -> int:
        count: int = await tx.value(_SQL.count_databases)
        return count

    async def get(self, tx: Transaction, key: str) -> RegisteredDatabase | None:
        rows = await tx.dicts(_SQL.get_database, {"key": key})
        return _read(rows[0]) if rows else None

    async def list(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[RegisteredDatabase]:
        return [_read(row) for row in await tx.dicts(_SQL.list_databases, filters)]

    async def lock(self, tx: Transaction, key: str) -> SealedTarget | None:
        return await tx.one(_SQL.lock_database, {"key": key}, SealedTarget)

    async def targets(self, tx: Transaction, keys: Sequence[str]) -> Sequence[SealedTarget]:
        """Returns those that exist, in no particular order."""
        return await tx.all(_SQL.targets, {"keys": list(keys)}, SealedTarget)

    async def named_targets(self, tx: Transaction, most: int) -> Sequence[tuple[str, SealedTarget]]:
        rows = await tx.dicts(_SQL.named_targets, {"most": most})
        return [(row.pop("name"), SealedTarget(**row)) for row in rows]

    async def is_migrating(self, tx: Transaction, id: str) -> bool:
        return bool(await tx.value(_SQL.is_migrating, {"id": id}))

    async def rename(self, tx: Transaction, id: str, name: str) -> bool:
        """Returns False when the name is taken; the transaction is aborted then."""
        try:
            await tx.execute(_SQL.rename, {"id": id, "name": name})
        except UniqueViolation:
            return False
        return True

    async def relabel(self, tx: Transaction, id: str, labels: Mapping[str, str]) -> None:
        await tx.execute(_SQL.relabel, _written({"id": id, "labels": labels}))

    async def move(self, tx: Transaction, row: Mapping[str, Any]) -> None:
        """Deletes what was learned about the database at its old address."""
        await tx.execute(_SQL.move, row)
        await tx.execute(_SQL.forget_health, {"id": row["id"]})

    async def delete(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.delete_database, {"id": id})


def _written(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**row, "labels": msgspec.json.encode(row["labels"]).decode()}


def _read(row: dict[str, Any]) -> RegisteredDatabase:
    health = {name: row.pop(name) for name in _HEALTH}
    check = UNCHECKED if health["state"] is None else Check(**health)
    return RegisteredDatabase(**row, check=check)
