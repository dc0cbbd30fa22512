"""Forecasts, held against what months then came to."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import pytest

from ogel.features.costs.forecast import forecast

Month = Callable[[random.Random], list[float]]
HISTORY, DAYS = 30, 30


def even(dice: random.Random) -> list[float]:
    return [dice.gauss(1, 0.15) for _ in range(HISTORY + DAYS)]


def weekly(dice: random.Random) -> list[float]:
    monday = dice.randrange(7)
    return [(0.5 if (day + monday) % 7 > 4 else 1) * dice.gauss(1, 0.1) for day in range(HISTORY + DAYS)]


def growing(dice: random.Random) -> list[float]:
    """By 2 % a day."""
    return [1.02**day * dice.gauss(1, 0.05) for day in range(HISTORY + DAYS)]


def wandering(dice: random.Random) -> list[float]:
    level, days = 0.0, []
    for _ in range(HISTORY + DAYS):
        level = 0.8 * level + dice.gauss(0, 0.1)
        days.append(max(0.05, 1 + level))
    return days


@pytest.mark.parametrize("month", [even, weekly, growing, wandering])
@pytest.mark.parametrize("day", [3, 10, 20])
def test_eight_of_ten_months_are_within_the_error(month: Month, day: int) -> None:
    dice = random.Random(7)
    within, parts = 0, []
    for _ in range(150):
        days = month(dice)
        past, total = days[: HISTORY + day], sum(days[HISTORY:])
        found = forecast(decimal(sum(days[HISTORY : HISTORY + day])), list(map(decimal, past)), DAYS - day)
        assert found is not None and found.error is not None
        within += abs(float(found.total) - total) <= float(found.error)
        parts.append(float(found.error) / total)
    assert within >= 0.7 * 150
    assert sum(parts) / len(parts) < 0.4, "an error that covers everything says nothing"


def test_even_days_go_on_and_their_error_is_nothing() -> None:
    found = forecast(Decimal(10), [Decimal(1)] * 10, 20.0)
    assert found is not None
    assert (found.total, found.error, found.days) == (Decimal(30), Decimal(0), 10)


def test_a_second_week_has_to_be_seen_before_weeks_are_known_to_be_alike() -> None:
    found = forecast(Decimal(5), [Decimal(1)] * 5, 25.0)
    assert found is not None and found.total == 30 and found.error is not None and found.error > 3


@pytest.mark.parametrize("count", [1, 2])
def test_few_days_have_no_error(count: int) -> None:
    found = forecast(Decimal(count), [Decimal(1)] * count, 10.0)
    assert found is not None and found.error is None and found.total == count + 10


def test_no_day_has_no_forecast() -> None:
    assert forecast(Decimal(3), [], 30.0) is None


def test_nothing_is_left_at_the_end() -> None:
    found = forecast(Decimal(30), [Decimal(1), Decimal(9), Decimal(3), Decimal(2)], 0.0)
    assert found is not None and (found.total, found.error) == (30, 0)


def test_a_project_that_shrinks_never_costs_less_than_nothing() -> None:
    days = [Decimal(max(30 - day, 0)) for day in range(40)]
    found = forecast(Decimal(100), days, 20.0)
    assert found is not None and found.total >= 100


def decimal(number: float) -> Decimal:
    return Decimal(str(round(number, 9)))
