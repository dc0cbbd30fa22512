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
    """
    `at` is the beginning of the hour or day. Peaks (connections, stored bytes) are the highest value in that time.
    """

    at: Timestamp
    metric: str
    labels: dict[str, str]
    value: int


class UsageStore:
    async def append(self, tx: Transaction, flush: Flush, deltas: Sequence[Delta]) -> bool:
        """Changes nothing for a flush that arrived before, and returns False."""
        parameters = {
            "process": flush.process,
            "name": flush.name,
            "number": flush.number,
            "memory_bytes": flush.memory_bytes,
            "cpu_seconds": flush.cpu_seconds,
            "rows": records(deltas),
        }
        return bool(await tx.value(_SQL.append, parameters))

    async def lock(self, tx: Transaction) -> bool:
        """Locks adding up until the transaction ends. Returns False when another worker holds the lock."""
        return bool(await tx.value(_SQL.lock))

    async def fold(self, tx: Transaction, limit: int) -> int:
        """Adds up to `limit` deltas to their hour and day; the caller holds the lock. Returns how many."""
        folded: int = await tx.value(_SQL.fold_counts, {"peaks": list(PEAKS), "limit": limit})
        return folded

    async def fold_peaks(self, tx: Transaction) -> None:
        """Adds up peaks of minutes for which every process has reported."""
        await tx.execute(_SQL.fold_peaks, {"peaks": list(PEAKS)})

    async def list(self, tx: Transaction, filters: Mapping[str, object]) -> list[Usage]:
        return await tx.all(_SQL.list_usage, {**filters, "peaks": list(PEAKS)}, Usage)

    async def counted(
        self, tx: Transaction, metric: str, bucket: str, since: datetime, until: datetime
    ) -> dict[datetime, int]:
        """Of all labels together, by the beginnings of hours or days."""
        parameters = {"metric": metric, "bucket": bucket, "since": since, "until": until}
        return dict(await tx.tuples(_SQL.counted, parameters))

    async def totals(self, tx: Transaction, since: datetime) -> dict[str, int]:
        """Sums of whole days, by metric."""
        return dict(await tx.tuples(_SQL.totals, {"since": since, "peaks": list(PEAKS)}))
