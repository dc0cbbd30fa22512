"""The chain in the audit_logs table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ogel.features.audit.chain import RECORD_FIELDS, End, Linked
from ogel.kernel.clock import rfc3339
from ogel.runtime.database.database import Queries, Session
from ogel.runtime.purge import MOST_COUNTED

_SQL = Queries.beside(__name__)


class ChainStore:
    async def unsealed(self, session: Session, before: datetime, limit: int) -> list[dict[str, Any]]:
        """Of before then, in the order of their times; RECORD_FIELDS, with a `seq` of 0."""
        rows = await session.tuples(_SQL.unsealed, {"before": before, "limit": limit})
        return [_chained(row) for row in rows]

    async def seal(self, tx: Session, ids: Sequence[str], first: int, hashes: Sequence[bytes]) -> None:
        """They stand in the chain from `first` on."""
        parameters = {"ids": list(ids), "first": first, "hashes": list(hashes)}
        sealed = await tx.execute(_SQL.seal, parameters)
        if sealed != len(ids):
            raise RuntimeError(
                f"{len(ids) - sealed} of {len(ids)} audit records changed while they were sealed"
            )

    async def linked(
        self, session: Session, first: int, last: int, limit: int, after_id: str | None = None
    ) -> list[Linked]:
        """A page of the chain from that place to that one; of the first, only what comes after the id."""
        parameters = {"first": first, "last": last, "limit": limit, "after_id": after_id}
        rows = await session.tuples(_SQL.linked, parameters)
        return [Linked(_chained(row[:-1]), bytes(row[-1])) for row in rows]

    async def count_unsealed(self, session: Session) -> tuple[int, datetime | None]:
        """How many, and when the oldest was written."""
        [(count, oldest)] = await session.tuples(_SQL.count_unsealed)
        return count, oldest

    async def beyond_head(self, session: Session) -> tuple[int, str] | None:
        """Place and id of a record that claims to be sealed, and whom no head knows."""
        rows = await session.tuples(_SQL.beyond_head)
        return (rows[0][0], rows[0][1]) if rows else None

    async def first_since(self, session: Session, moment: datetime) -> int | None:
        """The place of the first sealed record of then or later."""
        seq: int | None = await session.value(_SQL.first_since, {"moment": moment})
        return seq

    async def hash_at(self, session: Session, seq: int) -> bytes | None:
        hash = await session.value(_SQL.hash_at, {"seq": seq})
        return None if hash is None else bytes(hash)

    async def count_old(self, session: Session, before: datetime) -> int:
        """At the beginning of the chain; counted up to one more than MOST_COUNTED."""
        count: int = await session.value(_SQL.count_old, {"before": before, "most": MOST_COUNTED + 1})
        return count

    async def prefix(self, tx: Session, before: datetime, limit: int) -> End | None:
        """Where the first `limit` of those end; None: there are none."""
        rows = await tx.tuples(_SQL.prefix, {"before": before, "limit": limit})
        return End(rows[0][0], bytes(rows[0][1])) if rows else None

    async def delete_until(self, tx: Session, seq: int) -> int:
        return await tx.execute(_SQL.delete_until, {"seq": seq})

    async def has_dead_job(self, session: Session, queue: str, kind: str) -> bool:
        dead: bool = await session.value(_SQL.has_dead_job, {"queue": queue, "kind": kind})
        return dead


def _chained(row: tuple[Any, ...]) -> dict[str, Any]:
    """What a record's hash covers."""
    record = dict(zip(RECORD_FIELDS, row, strict=True))
    return {
        **record,
        "metadata": json.loads(record["metadata"]),
        "created_at": rfc3339(record["created_at"]),
    }
