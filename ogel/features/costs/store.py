"""The table of readings."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
import structlog
from msgspec import Struct

from ogel.features.costs.period import Period
from ogel.features.costs.reading import Reading
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.http.route import Timestamp

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)


class Stored(Struct, frozen=True):
    """`reading` None: the period has not been read yet. `trouble`: why not at `tried_at`, if that failed."""

    tried_at: datetime
    trouble: str | None
    reading: Reading | None


class Numbers(Struct, frozen=True):
    """Of the period that was asked for last, in dollars; None: it has not been told yet, or it is too early to say."""

    spent: float | None
    forecast: float | None
    read_at: datetime | None
    period_start: datetime
    period_end: datetime


class PeriodCost(Struct, frozen=True):
    """
    A billing period as it was last read: until `read_at`, of what is over less than an hour before its end.

    spent       dollars.
    is_partial  something is missing: it is the least that was spent.
    """

    start: Timestamp
    end: Timestamp
    read_at: Timestamp
    spent: Decimal
    origin: str
    is_partial: bool


class _Row(Struct, frozen=True):
    tried_at: datetime
    trouble: str | None
    reading: object


class ReadingStore:
    async def put(
        self, tx: Transaction, project: str, reading: Reading, spent: Decimal, forecast: Decimal | None
    ) -> None:
        """Instead of the reading before of the same period, unless that is newer."""
        parameters = {
            "project": project,
            "period_start": reading.period.start,
            "period_end": reading.period.end,
            "read_at": reading.read_at,
            "spent": spent,
            "forecast": forecast,
            "reading": msgspec.json.encode(reading).decode(),
        }
        await tx.execute(_SQL.put, parameters)

    async def put_trouble(
        self, tx: Transaction, project: str, period: Period, tried_at: datetime, trouble: str
    ) -> None:
        parameters = {
            "project": project,
            "period_start": period.start,
            "period_end": period.end,
            "tried_at": tried_at,
            "trouble": trouble,
        }
        await tx.execute(_SQL.trouble, parameters)

    async def last(self, tx: Transaction, project: str) -> Stored | None:
        row = await tx.one(_SQL.last, {"project": project}, _Row)
        if row is None:
            return None
        return Stored(row.tried_at, row.trouble, _reading(row.reading))

    async def periods(
        self, tx: Transaction, project: str, after: datetime | None, limit: int
    ) -> list[PeriodCost]:
        """Newest first, from the one before `after` on."""
        parameters = {"project": project, "after": after, "limit": limit}
        return await tx.all(_SQL.list_periods, parameters, PeriodCost)

    async def numbers(self, tx: Transaction, project: str) -> Numbers | None:
        return await tx.one(_SQL.numbers, {"project": project}, Numbers)


def _reading(document: object) -> Reading | None:
    """None, too, for one in the form of another version: the next is made anew."""
    try:
        return None if document is None else msgspec.convert(document, Reading)
    except msgspec.ValidationError as error:
        log.warning("costs.reading_unknown", error=str(error))
        return None
