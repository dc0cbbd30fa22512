"""The api_keys table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)

# The principal whose key stands in settings, and not here.
ADMIN = "admin"


class ApiKey(msgspec.Struct, frozen=True):
    """`hint` is the key's start: enough to recognise it, too little to use it."""

    id: str
    name: str
    hint: str
    scopes: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


class Standing(NamedTuple):
    """
    `ended`: why it is good no more, `revoked` or `expired`. `expires_in_seconds` by the database's clock; None: never.
    """

    scopes: list[str]
    ended: Literal["revoked", "expired"] | None
    expires_in_seconds: float | None


class KeyStore:
    async def insert(
        self,
        tx: Transaction,
        id: str,
        name: str,
        key_hash: bytes,
        hint: str,
        scopes: list[str],
        expires_at: datetime | None,
    ) -> None:
        parameters = {
            "id": id,
            "name": name,
            "key_hash": key_hash,
            "hint": hint,
            "scopes": scopes,
            "expires_at": expires_at,
        }
        await tx.execute(_SQL.insert_key, parameters)

    async def find(self, tx: Transaction, key_hash: bytes) -> tuple[str, Standing] | None:
        """Its id, and how it stands."""
        rows = await tx.tuples(_SQL.find_by_hash, {"key_hash": key_hash})
        return (rows[0][0], Standing(*rows[0][1:])) if rows else None

    async def standings(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Standing]:
        """By id; none for keys that were deleted."""
        rows = await tx.tuples(_SQL.standings, {"ids": ids})
        return {id: Standing(*rest) for id, *rest in rows}

    async def list(self, tx: Transaction) -> list[ApiKey]:
        return await tx.all(_SQL.list_keys, None, ApiKey)

    async def revoke(self, tx: Transaction, id: str) -> bool:
        return await tx.value(_SQL.revoke, {"id": id}) is not None
