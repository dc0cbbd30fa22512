"""The api_keys table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from ogel.features.keys.key import ApiKey, KeyKind
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)

# The principal of the admin key, which is in the settings and not in this table.
ADMIN = "admin"


class Standing(NamedTuple):
    """
    `ended` is why the key is not valid any more: `revoked` or `expired`. `expires_in_seconds` is by the database's
    clock; None means never. `networks` are where it may be used from; None means everywhere.
    """

    scopes: list[str]
    ended: Literal["revoked", "expired"] | None
    expires_in_seconds: float | None
    networks: list[str] | None = None
    kind: KeyKind = "secret"


class KeyStore:
    async def insert(self, tx: Transaction, row: Mapping[str, object]) -> None:
        await tx.execute(_SQL.insert_key, row)

    async def find(self, tx: Transaction, key_hash: bytes) -> tuple[str, Standing] | None:
        """Returns the id and standing of a key."""
        rows = await tx.tuples(_SQL.find_by_hash, {"key_hash": key_hash})
        return (rows[0][0], Standing(*rows[0][1:])) if rows else None

    async def standings(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Standing]:
        """Returns standings by id, without deleted keys."""
        rows = await tx.tuples(_SQL.standings, {"ids": ids})
        return {id: Standing(*rest) for id, *rest in rows}

    async def page(self, tx: Transaction, after: str | None, limit: int) -> list[ApiKey]:
        """Newest first."""
        return await tx.all(_SQL.list_keys, {"after": after, "limit": limit}, ApiKey)

    async def get(self, tx: Transaction, id: str) -> ApiKey | None:
        return await tx.one(_SQL.get_key, {"id": id}, ApiKey)

    async def get_good(self, tx: Transaction, id: str, to_change: bool) -> ApiKey | None:
        """Locks a valid key until the transaction ends; None when it is unknown or has ended."""
        query = _SQL.get_good_to_change if to_change else _SQL.get_good
        return await tx.one(query, {"id": id}, ApiKey)

    async def lock(self, tx: Transaction, ids: Collection[str]) -> None:
        """Before more than one of them is changed or looked at."""
        await tx.execute(_SQL.lock, {"ids": list(ids)})

    async def replace(self, tx: Transaction, id: str, by: str, overlap_seconds: int) -> None:
        await tx.execute(_SQL.replace, {"id": id, "by": by, "overlap_seconds": overlap_seconds})

    async def revoke(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.revoke, {"id": id})
