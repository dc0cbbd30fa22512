"""The chain of hashes in the audit_logs table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ogel.features.audit.chain import RECORD_FIELDS, End, Linked
from ogel.kernel.clock import rfc3339
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.jobs.seen import JOBS
from ogel.runtime.purge import MOST_COUNTED

_SQL = Queries.beside(__name__, jobs=JOBS)


class ChainStore:
    async def unsealed(self, tx: Transaction, before: datetime, limit: int) -> list[dict[str, Any]]:
        """Returns records written before then, ordered by time, with RECORD_FIELDS and a `seq` of 0."""
        rows = await tx.tuples(_SQL.unsealed, {"before": before, "limit": limit})
        return [_chained(row) for row in rows]

    async def seal(self, tx: Transaction, ids: Sequence[str], first: int, hashes: Sequence[bytes]) -> None:
        """Gives these records the positions from `first` on."""
        parameters = {"ids": list(ids), "first": first, "hashes": list(hashes)}
        sealed = await tx.execute(_SQL.seal, parameters)
        if sealed != len(ids):
            raise RuntimeError(
                f"{len(ids) - sealed} of {len(ids)} audit records changed while they were sealed"
            )

    async def linked(
        self, tx: Transaction, first: int, last: int, limit: int, after_id: str | None = None
    ) -> list[Linked]:
        """Returns a page of the chain between two positions; of the first position only records after the id."""
        parameters = {"first": first, "last": last, "limit": limit, "after_id": after_id}
        rows = await tx.tuples(_SQL.linked, parameters)
        return [Linked(_chained(row[:-1]), bytes(row[-1])) for row in rows]

    async def count_unsealed(self, tx: Transaction) -> tuple[int, datetime | None]:
        """Returns the number of unsealed records, and when the oldest was written."""
        [(count, oldest)] = await tx.tuples(_SQL.count_unsealed)
        return count, oldest

    async def beyond_head(self, tx: Transaction) -> tuple[int, str] | None:
        """Returns position and id of a record that claims to be sealed but lies after the head."""
        rows = await tx.tuples(_SQL.beyond_head)
        return (rows[0][0], rows[0][1]) if rows else None

    async def first_since(self, tx: Transaction, moment: datetime) -> int | None:
        """Returns the position of the first sealed record of that time or later."""
        seq: int | None = await tx.value(_SQL.first_since, {"moment": moment})
        return seq

    async def hash_at(self, tx: Transaction, seq: int) -> bytes | None:
        hash = await tx.value(_SQL.hash_at, {"seq": seq})
        return None if hash is None else bytes(hash)

    async def count_old(self, tx: Transaction, before: datetime) -> int:
        """Counts old records at the beginning of the chain, up to one more than MOST_COUNTED."""
        count: int = await tx.value(_SQL.count_old, {"before": before, "most": MOST_COUNTED + 1})
        return count

    async def prefix(self, tx: Transaction, before: datetime, limit: int) -> End | None:
        """Returns where the first `limit` of those records end; None when there are none."""
        rows = await tx.tuples(_SQL.prefix, {"before": before, "limit": limit})
        return End(rows[0][0], bytes(rows[0][1])) if rows else None

    async def delete_until(self, tx: Transaction, seq: int) -> int:
        return await tx.execute(_SQL.delete_until, {"seq": seq})

    async def has_dead_job(self, tx: Transaction, queue: str, kind: str) -> bool:
        dead: bool = await tx.value(_SQL.has_dead_job, {"queue": queue, "kind": kind})
        return dead


def _chained(row: tuple[Any, ...]) -> dict[str, Any]:
    """Selects the fields that a record's hash covers."""
    record = dict(zip(RECORD_FIELDS, row, strict=True))
    return {
        **record,
        "metadata": json.loads(record["metadata"]),
        "created_at": rfc3339(record["created_at"]),
    }
