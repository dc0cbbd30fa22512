"""Reading usage: by hour or day, and the totals of this day and month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from ogel.features.observability.usage.metrics import METRICS
from ogel.features.observability.usage.store import Usage, UsageStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database
from ogel.runtime.http.route import Timestamp


class UsageFilters(Struct, frozen=True):
    """
    since, until  range of the beginnings of hours or days; `until` itself is excluded.
    by            labels to group by; all others are summed up.
    after         the time, metric and labels (as JSON) of the last row of the previous page.
    """

    bucket: str
    since: datetime
    until: datetime
    limit: int
    metric: str | None = None
    by: Sequence[str] = ()
    after: tuple[datetime, str, str] | None = None


class Total(Struct, frozen=True):
    metric: str
    today: int
    this_month: int


class Summary(Struct, frozen=True):
    """Contains every metric. Days and months begin at midnight UTC."""

    items: list[Total]
    today: Timestamp
    this_month: Timestamp


class UsageService:
    def __init__(self, database: Database, store: UsageStore) -> None:
        self._database = database
        self._store = store

    async def list(self, filters: UsageFilters) -> list[Usage]:
        after_at, after_metric, after_labels = filters.after or (None, None, None)
        parameters = {
            "bucket": filters.bucket,
            "since": filters.since,
            "until": filters.until,
            "metric": filters.metric,
            "by": list(filters.by),
            "after_at": after_at,
            "after_metric": after_metric,
            "after_labels": after_labels,
            "limit": filters.limit,
        }
        async with self._database.autocommit() as tx:
            return await self._store.list(tx, parameters)

    async def summary(self) -> Summary:
        today = utc_now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        month = today.replace(day=1)
        async with self._database.autocommit() as tx:
            of_today = await self._store.totals(tx, today)
            of_month = await self._store.totals(tx, month)
        totals = [Total(name, of_today.get(name, 0), of_month.get(name, 0)) for name in METRICS]
        return Summary(totals, today, month)
