"""The tables slo_deltas, slo_tallies, slo_uptime and slo_commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from ogel.features.observability.slo.uptime import Hour
from ogel.features.observability.slo.windows import Piece
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.metrics.sketch import Sketch
from ogel.runtime.metrics.tallies import Counted

_SQL = Queries.beside(__name__)


class Sum(Struct, frozen=True):
    """What a series had in a window."""

    total: int = 0
    bad: int = 0
    sketch: Sketch = Sketch()


class SloStore:
    async def append(self, tx: Transaction, counted: Sequence[Counted]) -> None:
        await tx.execute(_SQL.append, {"rows": records(counted)})

    async def lock(self, tx: Transaction) -> bool:
        """Locks folding until the transaction ends. Returns False when another worker holds the lock."""
        return bool(await tx.value(_SQL.lock))

    async def fold(self, tx: Transaction, limit: int) -> int:
        """Adds up to `limit` deltas to their minute, hour and day; the caller holds the lock. Returns how many."""
        folded: int = await tx.value(_SQL.fold, {"limit": limit})
        return folded

    async def forget_minutes(self, tx: Transaction, before: datetime) -> None:
        await tx.execute(_SQL.forget_minutes, {"before": before})

    async def sums(self, tx: Transaction, pieces: Sequence[Piece]) -> Mapping[str, Mapping[str, Sum]]:
        """By window and series."""
        sums: dict[str, dict[str, Sum]] = {piece.name: {} for piece in pieces}
        for name, series, total, bad, buckets, counts in await tx.tuples(
            _SQL.windows, {"pieces": records(pieces)}
        ):
            sums[name][series] = Sum(total, bad, Sketch(buckets, counts))
        return sums

    async def first(self, tx: Transaction) -> datetime | None:
        """The hour of what was counted first."""
        first: datetime | None = await tx.value(_SQL.first)
        return first

    async def uptime(self, tx: Transaction) -> Mapping[datetime, Hour]:
        """All hours that are remembered: a window that begins with a gap begins after an older one."""
        hours = await tx.all(_SQL.uptime, None, Hour)
        return {each.hour: each for each in hours}

    async def commits(self, tx: Transaction) -> Mapping[str, datetime]:
        """When they were made, by the deployments that noted it."""
        return dict(await tx.tuples(_SQL.commits))
