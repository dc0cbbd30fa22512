"""The tables processes, usage_deltas and usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from ogel.features.observability.usage.metrics import PEAKS, Metric
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.http.route import Timestamp

_SQL = Queries.beside(__name__)


class Flush(Struct, frozen=True):
    process: str
    name: str
    number: int
    memory_bytes: int
    cpu_seconds: float


class Delta(Struct, frozen=True):
    metric: Metric
    labels: dict[str, str]
    value: int


class Usage(Struct, frozen=True):
    """`at`: when the hour or day began. Peaks (connections, stored bytes) are the most there was at one time."""

    at: Timestamp
    metric: str
    labels: dict[str, str]
    value: int


class UsageStore:
    async def append(self, tx: Transaction, flush: Flush, deltas: Sequence[Delta]) -> None:
        """Nothing changes for a flush that arrived before."""
        parameters = {
            "process": flush.process,
            "name": flush.name,
            "number": flush.number,
            "memory_bytes": flush.memory_bytes,
            "cpu_seconds": flush.cpu_seconds,
            "rows": records(deltas),
        }
        await tx.execute(_SQL.append, parameters)

    async def lock(self, tx: Transaction) -> bool:
        """Whoever folds does so alone, until its transaction ends. False: somebody is at it."""
        return bool(await tx.value(_SQL.lock))

    async def fold(self, tx: Transaction, limit: int) -> int:
        """Up to `limit` deltas into their hour and day; the caller holds the lock. Returns how many."""
        folded: int = await tx.value(_SQL.fold_counts, {"peaks": list(PEAKS), "limit": limit})
        return folded

    async def fold_peaks(self, tx: Transaction) -> None:
        """Of minutes that every process has told of."""
        await tx.execute(_SQL.fold_peaks, {"peaks": list(PEAKS)})

    async def list(self, tx: Transaction, filters: Mapping[str, object]) -> list[Usage]:
        return await tx.all(_SQL.list_usage, {**filters, "peaks": list(PEAKS)}, Usage)

    async def totals(self, tx: Transaction, since: datetime) -> dict[str, int]:
        """Of whole days, by metric."""
        return dict(await tx.tuples(_SQL.totals, {"since": since, "peaks": list(PEAKS)}))
