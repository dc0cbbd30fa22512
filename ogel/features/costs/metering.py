"""From series of measurements to what is billed, with what was guessed and what is missing in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ogel.runtime.railway import Point

# A point stands for the time until the next one, if that is not much later than it should be.
_LATE = 1.5
# So many intervals without a number, between two that have one, are filled with the mean of both: a scrape that failed
# does not make a service free. Where more are missing, nothing ran.
_FILLED = 3.5
_MINUTE, _DAY = 60.0, 86_400.0
# No service holds as much, in GB or vCPUs, or sends as much.
_MOST = 1e9
# Seconds since 1970, and what was measured then, if anything.
Known = tuple[float, float | None]


class Metered(NamedTuple):
    """
    quantity  in minutes of what the points measure, or the sum of their values.
    filled    minutes between two points that were taken for the mean of them.
    unknown   minutes of which the source said that it does not know: they are not in `quantity`.
    """

    quantity: float = 0.0
    filled: float = 0.0
    unknown: float = 0.0

    def plus(self, other: Metered) -> Metered:
        return Metered(
            self.quantity + other.quantity, self.filled + other.filled, self.unknown + other.unknown
        )


class Stretch(NamedTuple):
    """`value`: of a level, what it was; of amounts, what came in a minute. None: nobody knows."""

    begin: float
    end: float
    value: float | None
    filled: bool = False

    def within(self, begin: float, end: float) -> Metered:
        minutes = max(min(self.end, end) - max(self.begin, begin), 0.0) / _MINUTE
        if self.value is None:
            return Metered(unknown=minutes)
        return Metered(self.value * minutes, filled=minutes if self.filled else 0.0)


def in_order(points: Iterable[Point]) -> list[Known]:
    """By time; of several at one time the last. What cannot be a measurement (negative, NaN, 1e300) says nothing."""
    return sorted({point.at.timestamp(): _sound(point.value) for point in points}.items())


def spacing_of(series: Iterable[Sequence[Known]], asked_seconds: float) -> float:
    """How far apart points stand: not always as asked, since a server may have thinned them out."""
    found = [spacing for each in series if (spacing := _spacing(each)) is not None]
    return max(asked_seconds, min(found, default=0.0))


def stretches(
    ordered: Sequence[Known], until: datetime, spacing: float, amounts: bool = False
) -> Iterator[Stretch]:
    """
    One for each point, and what is filled in between. `amounts`: each point has what there was in its interval (bytes
    sent), and not a level (memory, a disk).
    """
    intervals = _intervals(ordered, until.timestamp(), spacing, amounts)
    unknown: list[Stretch] = []
    last: Stretch | None = None
    for each in intervals:
        if each.value is None:
            unknown.append(each)
            continue
        if last is not None:
            yield from _between(last, each, unknown, spacing)
        yield each
        last, unknown = each, []
    if last is not None and unknown:
        # Of the last few intervals numbers are often not there yet.
        few = unknown[-1].end - last.begin <= spacing * _FILLED
        yield from (
            (Stretch(each.begin, each.end, last.value, filled=True) for each in unknown) if few else unknown
        )


def metered(pieces: Iterable[Stretch], since: datetime, until: datetime) -> Metered:
    """What they come to in that time."""
    begin, end, sum = since.timestamp(), until.timestamp(), Metered()
    for stretch in pieces:
        if stretch.end > begin and stretch.begin < end:
            sum = sum.plus(stretch.within(begin, end))
    return sum


def by_day(pieces: Iterable[Stretch], since: datetime, days: int) -> list[float]:
    """The same for each of the days that follow `since`, a midnight."""
    sums, zero = [0.0] * days, since.timestamp()
    for stretch in pieces:
        first, last = math.floor((stretch.begin - zero) / _DAY), math.floor((stretch.end - zero) / _DAY)
        for day in range(max(first, 0), min(last, days - 1) + 1):
            begin = zero + day * _DAY
            sums[day] += stretch.within(begin, begin + _DAY).quantity
    return sums


def _intervals(ordered: Sequence[Known], until: float, spacing: float, amounts: bool) -> Iterator[Stretch]:
    """What each point stands for: the time until the next, or where that is late, as long as others stand for."""
    holds = min(spacing, _spacing(ordered) or spacing)
    for place, (at, value) in enumerate(ordered):
        if place + 1 < len(ordered):
            following = ordered[place + 1][0]
            end = following if following - at <= spacing * _LATE else at + holds
        else:
            # The last of amounts has only what came until now.
            end = min(at + holds, until) if amounts and at < until else at + holds
        yield Stretch(at, end, value * _MINUTE / (end - at) if amounts and value is not None else value)


def _between(
    before: Stretch, after: Stretch, unknown: Sequence[Stretch], spacing: float
) -> Iterable[Stretch]:
    """The time between two intervals that have a number; in `unknown` are those that have none."""
    if before.end >= after.begin:
        return ()
    if (
        after.begin - before.begin <= spacing * _FILLED
        and before.value is not None
        and after.value is not None
    ):
        return (Stretch(before.end, after.begin, (before.value + after.value) / 2, filled=True),)
    return unknown


def _sound(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= _MOST else None


def _spacing(ordered: Sequence[Known]) -> float | None:
    if len(ordered) < 3:
        return None
    return median(after - before for (before, _), (after, _) in pairwise(ordered))
