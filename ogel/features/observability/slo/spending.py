"""The objective of cost: what the project costs, as the feature costs has read it."""

from __future__ import annotations

from ogel.features.costs.contract import ThisPeriod
from ogel.features.observability.slo.report import ObjectiveInfo
from ogel.features.observability.slo.standings import UNKNOWN, Standing, burning
from ogel.features.observability.slo.windows import SHOWN

_MONTH = SHOWN[-1]
_NOT_READ = "it has not been read in this billing period (ogel cost)"


def spending(period: ThisPeriod | None, target: float) -> ObjectiveInfo:
    """Of the billing period, which stands for the month; the budget that was set for it comes before the `target`."""
    if period is not None and period.budget is not None:
        target = period.budget
    windows = dict.fromkeys(SHOWN, UNKNOWN)
    note = _NOT_READ
    if period is not None:
        windows[_MONTH] = _standing(period, target)
        note = f"${period.spent:.2f} are spent of the billing period that ends {period.end:%Y-%m-%d}"
        note += "; it is too early for a forecast" if period.forecast is None else "; told is the forecast"
    says = f"A billing period costs ${target:.2f} at most."
    return ObjectiveInfo("cost", says, "cost", "dollars", target, False, windows, note)


def _standing(period: ThisPeriod, target: float) -> Standing:
    """What is spent is not kept until the period has ended, but it may be missed before."""
    if period.forecast is not None:
        return burning(period.forecast, period.forecast / target, 0, 0)
    spent = burning(period.spent, period.spent / target, 0, 0)
    return Standing(spent.value, False if spent.met is False else None, None, spent.budget_left)
