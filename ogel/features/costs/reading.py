"""A reading: what was known at one time of what a project has used in its billing period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from ogel.features.costs.bill import Used, priced
from ogel.features.costs.money import ZERO
from ogel.features.costs.period import DAY, Period, minutes
from ogel.runtime.http.route import Timestamp
from ogel.runtime.prices.table import PriceTable, Resource

if TYPE_CHECKING:
    from ogel.features.costs.forecast import Forecast

# Instead of the id of a project, where there is none.
HERE = "here"


class Day(Struct, frozen=True):
    """In UTC: quantities of all services together, as those of Used."""

    day: date
    used: Mapping[Resource, Decimal]


class Workspace(Struct, frozen=True):
    """Of all its projects together, in dollars; limits None: there is none."""

    current_usage: Decimal
    soft_limit: Decimal | None
    hard_limit: Decimal | None


class Reading(Struct, frozen=True):
    """
    project    its id, or HERE; with its name.
    origin     where most of `used` is from.
    rate       used since `rate_since`: in the last 24 hours, if it is so old.
    days       of the period and before it; the last one may not be over.
    missing    what is not in `used`, a line each: it is the least that was used.
    notes      what was guessed.
    estimated  what Railway expects of the whole period.
    """

    project: str
    name: str
    origin: str
    period: Period
    read_at: Timestamp
    used: Sequence[Used]
    rate: Sequence[Used]
    rate_since: Timestamp
    days: Sequence[Day]
    missing: Sequence[str] = ()
    notes: Sequence[str] = ()
    estimated: Mapping[Resource, Decimal] | None = None
    workspace: Workspace | None = None

    def spent(self, prices: PriceTable) -> Decimal:
        """Dollars, not rounded."""
        return priced(self.used, prices)

    def a_month(self, prices: PriceTable) -> Decimal | None:
        """Dollars of a month that goes on as the last day did; None where nothing is known of that."""
        span = minutes(self.read_at - self.rate_since)
        return priced(self.rate, prices) * prices.month_minutes / span if span > 0 else None

    def forecast(self, prices: PriceTable) -> Forecast | None:
        from ogel.features.costs.forecast import forecast

        left = (self.period.end - self.read_at) / DAY
        return forecast(self.spent(prices), self.daily(prices), max(left, 0.0))

    def daily(self, prices: PriceTable) -> list[Decimal]:
        """Dollars of whole days, oldest first, without a gap until yesterday."""
        known = {each.day: each.used for each in self.days}
        dollars = []
        day = (self.read_at.astimezone(UTC) - DAY).date()
        while day in known:
            dollars.append(sum((prices.of(*each) for each in known[day].items()), ZERO))
            day -= DAY
        return dollars[::-1]
