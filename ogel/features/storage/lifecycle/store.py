"""Rows of objects that are over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ogel.features.storage.objects.object import StoredObject
from ogel.runtime.database.database import Queries, Transaction

_COLUMNS = b", ".join(name.encode() for name in StoredObject.__struct_fields__)
_SQL = Queries.beside(__name__, object=_COLUMNS)


class Ends(NamedTuple):
    """A rule at a time: what begins with the prefix ends if its content was there by `until`."""

    bucket: str
    prefix: str
    until: datetime


class LifecycleStore:
    async def rules(self, tx: Transaction) -> list[tuple[str, Any]]:
        """Buckets that have some, and their rules as they are stored."""
        return [(id, rules) for id, rules in await tx.tuples(_SQL.rules)]

    async def count(self, tx: Transaction, before: datetime, ends: Sequence[Ends], most: int) -> int:
        """How many objects have expired or are ended by a rule, at most so many; what two rules end counts twice."""
        number: int = await tx.value(_SQL.count_expired, {"before": before, "most": most})
        for end in ends:
            if number >= most:
                break
            sent = {**end._asdict(), "before": before, "most": most - number}
            number += await tx.value(_SQL.count_aged, sent)
        return number

    async def delete_expired(self, tx: Transaction, before: datetime, limit: int) -> list[StoredObject]:
        return await tx.all(_SQL.delete_expired, {"before": before, "limit": limit}, StoredObject)

    async def delete_aged(self, tx: Transaction, end: Ends, limit: int) -> list[StoredObject]:
        return await tx.all(_SQL.delete_aged, {**end._asdict(), "limit": limit}, StoredObject)
