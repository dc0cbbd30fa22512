"""What a period will have cost at its end, and how wrong that may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, stdev

from msgspec import Struct

from ogel.features.costs.money import exact

# Whole weeks, because weekends are cheaper.
_WEEK = 7
# Of fewer days nobody can say how much they differ.
LEAST_DAYS = 3
# So many weeks that all went up, or all down, make a trend.
_TREND_MOVES = 2
# Until a second week has been seen, weeks differ by this part of one.
_UNKNOWN_DRIFT = 0.1
# Eight in ten of Student's t, by degrees of freedom; from the last one on as for many.
_T = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356, 1.350)


class Forecast(Struct, frozen=True):
    """
    Dollars, not rounded.

    error  in eight of ten months it is off by no more; None: there are too few days to tell.
    days   whole days that it is made of.
    """

    total: Decimal
    error: Decimal | None
    days: int


def forecast(so_far: Decimal, daily: Sequence[Decimal], days_left: float) -> Forecast | None:
    """
    `daily`: what whole days have cost, the last one last, of the present period and before. The days that are left cost
    what those of the last week did, and more or less where weeks have only gone up, or down. The error has three parts:
    each day differs from the next, the mean of few is not the true one, and weeks move. None without a whole day.
    """
    days = [float(each) for each in daily]
    if not days:
        return None
    moves = _moves(days)
    # The last week is half a week old already, and the days that are left are in the middle half their number ahead.
    weeks_ahead = 0.5 + days_left / (2 * _WEEK)
    level = max(fmean(days[-_WEEK:]) + _trend(moves) * weeks_ahead, 0.0)
    total = so_far + exact(round(level * days_left, 6))
    if len(days) < LEAST_DAYS:
        return Forecast(total, None, len(days))
    recent = days[-2 * _WEEK :]
    spread = stdev(recent)
    noise = spread * math.sqrt(days_left + days_left**2 / len(days[-_WEEK:]))
    drift = _drift(moves, spread) if moves else _UNKNOWN_DRIFT * fmean(days)
    error = _T[min(len(recent) - 1, len(_T)) - 1] * math.hypot(noise, drift * days_left * weeks_ahead)
    return Forecast(total, exact(round(error, 6)), len(days))


def _moves(days: Sequence[float]) -> list[float]:
    """What a day costs more than a week before, newest first; the oldest week may have a few days only."""
    ends = range(len(days), 0, -_WEEK)
    weeks = [days[max(end - _WEEK, 0) : end] for end in ends]
    means = [fmean(week) for week in weeks if len(week) >= LEAST_DAYS]
    return [after - before for after, before in pairwise(means)]


def _trend(moves: Sequence[float]) -> float:
    one_way = all(move > 0 for move in moves) or all(move < 0 for move in moves)
    return fmean(moves) if len(moves) >= _TREND_MOVES and one_way else 0.0


def _drift(moves: Sequence[float], spread: float) -> float:
    """By how much weeks move, without what their means differ by already because days do."""
    return math.sqrt(max(fmean(move**2 for move in moves) - 2 * spread**2 / _WEEK, 0.0))
