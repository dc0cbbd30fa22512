"""Reads once an hour what the project costs, and says what was last read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from msgspec import Struct

from ogel.features.costs.contract import ThisPeriod
from ogel.features.costs.jobs import READ
from ogel.features.costs.period import calendar_month
from ogel.features.costs.reading import HERE, Reading
from ogel.features.costs.statement import Budget, Statement, state
from ogel.features.costs.store import Numbers, PeriodCost, ReadingStore
from ogel.features.observability.contract import Measurements
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict
from ogel.runtime.alerts import Sample
from ogel.runtime.database.database import Database
from ogel.runtime.http.route import Timestamp
from ogel.runtime.prices.table import PriceTable
from ogel.runtime.railway import Railway, RailwayError

log = structlog.get_logger(__name__)


class Trouble(Struct, frozen=True):
    """The last try to read failed: what is said is older."""

    at: Timestamp
    message: str


class Cost(Struct, frozen=True):
    """What the project cost when it was last read."""

    reading: Reading
    statement: Statement
    trouble: Trouble | None


class CostService:
    """
    project    the id of the one that this suite runs in; None: it does not run on Railway.
    in_bucket  the suite's files are in a bucket.
    """

    def __init__(
        self,
        database: Database,
        store: ReadingStore,
        railway: Railway,
        project: str | None,
        here: Measurements,
        in_bucket: bool,
        prices: PriceTable,
        budget: Budget | None,
        plan: str | None,
    ) -> None:
        self._database = database
        self._store = store
        self._railway = railway
        self._project = project
        self._key = project or HERE
        self._here = here
        self._in_bucket = in_bucket
        self._prices = prices
        self._budget = budget
        self._plan = plan

    async def read(self) -> Reading | None:
        """Stores what it reads. None where Railway did not tell: then what was read before stays."""
        now = utc_now()
        async with self._database.autocommit() as tx:
            last = await self._store.last(tx, self._key)
        before = None if last is None else last.reading
        try:
            reading = await self._told(now, before)
        except RailwayError as error:
            log.warning("costs.unread", cause=error.cause, error=error.message)
            # When the next one begins and ends, nobody has told yet.
            period = calendar_month(now) if before is None else before.period
            async with self._database.autocommit() as tx:
                await self._store.put_trouble(tx, self._key, period, now, error.message)
            return None
        forecast = reading.forecast(self._prices)
        async with self._database.autocommit() as tx:
            await self._store.put(
                tx,
                self._key,
                reading,
                reading.spent(self._prices),
                None if forecast is None else forecast.total,
            )
        return reading

    async def _told(self, now: datetime, before: Reading | None) -> Reading:
        """By Railway, or where there is no token for it by this suite. Only workers read."""
        from ogel.features.costs import from_here, from_railway

        try:
            project = self._project or (await self._railway.scope()).project_id
            if project is not None:
                return await from_railway.read(self._railway, project, now)
        except RailwayError as error:
            if error.cause != "no_token":
                raise
        return await from_here.read(self._here, self._key, self._in_bucket, now, before)

    async def last(self) -> Cost:
        """Raises Conflict where nothing has been read yet."""
        async with self._database.autocommit() as tx:
            last = await self._store.last(tx, self._key)
        if last is None or last.reading is None:
            why = f": {last.trouble}" if last is not None and last.trouble else ""
            raise Conflict(
                f"what the project costs has not been read yet{why}; `ogel schedules run {READ}` does"
            )
        trouble = None if last.trouble is None else Trouble(last.tried_at, last.trouble)
        return Cost(last.reading, state(last.reading, self._prices, self._budget, self._plan), trouble)

    async def periods(self, after: datetime | None, limit: int) -> list[PeriodCost]:
        """Newest first, from the one before `after` on."""
        async with self._database.autocommit() as tx:
            return await self._store.periods(tx, self._key, after, limit)

    async def this_period(self) -> ThisPeriod | None:
        """See Costs of the contract."""
        numbers = await self._numbers()
        if numbers is None or numbers.spent is None or numbers.read_at is None:
            return None
        if utc_now() >= numbers.period_end:
            return None
        budget = None if self._budget is None else float(self._budget.dollars)
        return ThisPeriod(
            numbers.spent, numbers.forecast, budget, numbers.read_at, numbers.period_start, numbers.period_end
        )

    async def _numbers(self) -> Numbers | None:
        async with self._database.autocommit() as tx:
            return await self._store.numbers(tx, self._key)

    async def samples(self) -> Sequence[Sample]:
        """What alerts are held against. What a period that is over has cost is no news; that nobody reads is."""
        numbers = await self._numbers()
        if numbers is None:
            return []
        now = utc_now()
        since = numbers.read_at or numbers.period_start
        samples = [Sample("cost.read_hours", {}, (now - since) / timedelta(hours=1))]
        if now >= numbers.period_end:
            return samples
        for name, dollars in (("spent", numbers.spent), ("forecast", numbers.forecast)):
            if dollars is not None:
                samples.append(Sample(f"cost.{name}_dollars", {}, dollars))
                if self._budget is not None:
                    samples.append(Sample(f"cost.{name}_share", {}, dollars / float(self._budget.dollars)))
        return samples
