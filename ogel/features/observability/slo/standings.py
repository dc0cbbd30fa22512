"""How well an objective is kept in a window: its value, how much of its budget is left, and how fast that burns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from ogel.features.observability.slo.objectives import Objective
from ogel.features.observability.slo.store import Sum
from ogel.features.observability.slo.uptime import Minutes

_MONTH = timedelta(days=30)


class Standing(Struct, frozen=True):
    """
    value        in the objective's unit; null: there was nothing.
    met          null: likewise.
    burn_rate    how fast the budget is used: at 1 it is used up exactly when the window ends; 0: nothing was bad.
    budget_left  the part of the window's budget that is not used; negative: more than there was.
    total, bad   how much there was, and how much of it counts against the budget.
    """

    value: float | None = None
    met: bool | None = None
    burn_rate: float | None = None
    budget_left: float | None = None
    total: int = 0
    bad: int = 0


UNKNOWN = Standing()


def standing(objective: Objective, sums: Mapping[str, Sum], minutes: Minutes, window: timedelta) -> Standing:
    ours = [each for series, each in sums.items() if objective.concerns(series)]
    if objective.measure == "amount":
        return _amount(objective, sum(each.total for each in ours), window)
    if objective.measure == "uptime":
        return _of_part(objective, minutes.total, minutes.down)
    if objective.measure == "duration":
        [only] = ours or [Sum()]
        value = only.sketch.quantile(1 - objective.allowed)
        return _of_part(objective, only.sketch.total, only.sketch.longer_than(objective.target), value)
    return _of_part(objective, sum(each.total for each in ours), sum(each.bad for each in ours))


def _of_part(objective: Objective, total: int, bad: int, value: float | None = None) -> Standing:
    if value is None and total and objective.at_least:
        value = 1 - bad / total
    return part(total, bad, objective.allowed, value)


def part(total: int, bad: int, allowed: float, value: float | None = None) -> Standing:
    """Where a part of all may be bad; without a `value` that is the part that is."""
    if not total:
        return UNKNOWN
    return burning(bad / total if value is None else value, bad / total / allowed, total, bad)


def _amount(objective: Objective, amount: int, window: timedelta) -> Standing:
    """Of a window its part of the month is allowed."""
    return burning(float(amount), amount / (objective.target * (window / _MONTH)), amount, amount)


def burning(value: float, rate: float, total: int, bad: int) -> Standing:
    """At a rate of 1 there is nothing left."""
    # The budget is a difference of decimals (1 - 0.999): what is used up to the last of it is not exceeded.
    return Standing(value, rate <= 1 + 1e-9, round(rate, 6), round(1 - rate, 6), total, bad)
