"""Rows of objects, as scans read and write them."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.storage.objects.object import ScanState, StoredObject
from ogel.runtime.database.database import Queries, Transaction

_COLUMNS = b", ".join(name.encode() for name in StoredObject.__struct_fields__)
_SQL = Queries.beside(__name__, object=_COLUMNS)


class ScanStore:
    async def get(self, tx: Transaction, version: str) -> StoredObject | None:
        return await tx.one(_SQL.get, {"version": version}, StoredObject)

    async def set(self, tx: Transaction, version: str, state: ScanState) -> StoredObject | None:
        """Returns None when it does not wait for its scan any more, or is another version."""
        return await tx.one(_SQL.set, {"version": version, "state": state}, StoredObject)

    async def waiting(self, tx: Transaction, states: Sequence[ScanState], limit: int) -> list[str]:
        return [
            version for (version,) in await tx.tuples(_SQL.waiting, {"states": list(states), "limit": limit})
        ]

    async def let_go(self, tx: Transaction, bucket: str) -> int:
        return await tx.execute(_SQL.let_go, {"bucket": bucket})
