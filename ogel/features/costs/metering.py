"""From series of measurements to what is billed, with what was guessed and what is missing in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median

from msgspec import Struct

from ogel.features.costs.money import ZERO, exact
from ogel.runtime.railway import Point, Series

# A point stands for the time until the next one, if that is not much later than it should be.
_LATE = Decimal("1.5")
# So many intervals without a number, between two that have one, are filled with the mean of both: a scrape that failed
# does not make a service free. Where more are missing, nothing ran.
_FILLED = Decimal("3.5")
_MINUTE, _DAY = Decimal(60), Decimal(86_400)
# Seconds since some time, and what was measured then, if anything.
_Known = tuple[Decimal, Decimal | None]


class Metered(Struct, frozen=True):
    """
    quantity  in minutes of what the points measure, or the sum of their values.
    filled    minutes between two points that were taken for the mean of them.
    unknown   minutes of which the source said that it does not know: they are not in `quantity`.
    """

    quantity: Decimal = ZERO
    filled: Decimal = ZERO
    unknown: Decimal = ZERO

    def plus(self, other: Metered) -> Metered:
        return Metered(
            self.quantity + other.quantity, self.filled + other.filled, self.unknown + other.unknown
        )


class _Stretch(Struct, frozen=True):
    """
    Seconds since the beginning of the period. `value`: of a level, what it was; of amounts, what came in a minute.
    None: nobody knows.
    """

    begin: Decimal
    end: Decimal
    value: Decimal | None
    filled: bool = False

    def within(self, begin: Decimal, end: Decimal) -> Metered:
        minutes = max(min(self.end, end) - max(self.begin, begin), ZERO) / _MINUTE
        if self.value is None:
            return Metered(unknown=minutes)
        return Metered(self.value * minutes, filled=minutes if self.filled else ZERO)


def spacing_of(series: Iterable[Series], asked_seconds: int) -> Decimal:
    """How far apart points stand: not always as asked, since a server may have thinned them out."""
    found = [spacing for each in series if (spacing := _spacing(_since_the_first(each.points))) is not None]
    return max(Decimal(asked_seconds), min(found, default=ZERO))


def metered(
    points: Sequence[Point], since: datetime, until: datetime, spacing: Decimal, amounts: bool = False
) -> Metered:
    """
    What a level (memory, CPU, a disk) comes to from `since` to `until`; or `amounts` (bytes sent), of which each point
    has those of its interval.
    """
    end, sum = _seconds(until - since), Metered()
    for stretch in _stretches(points, since, until, spacing, amounts):
        sum = sum.plus(stretch.within(ZERO, end))
    return sum


def by_day(
    points: Sequence[Point], since: datetime, days: int, spacing: Decimal, amounts: bool = False
) -> list[Decimal]:
    """The same for each of the days that follow `since`, a midnight."""
    sums = [ZERO] * days
    for stretch in _stretches(points, since, since + days * timedelta(days=1), spacing, amounts):
        first, last = int(stretch.begin // _DAY), int(stretch.end // _DAY)
        for day in range(max(first, 0), min(last, days - 1) + 1):
            sums[day] += stretch.within(day * _DAY, (day + 1) * _DAY).quantity
    return sums


def merged(series: Iterable[Series]) -> list[Series]:
    """
    What came in pieces, or twice, as one. Series that differ in a tag are of different things: an old deployment and
    the new one run side by side for a while, and both are billed.
    """
    by_tags: dict[tuple[str, frozenset[tuple[str, str]]], list[Point]] = {}
    tags = {}
    for each in series:
        key = each.measurement, frozenset(each.tags.items())
        tags[key] = each.tags
        by_tags.setdefault(key, []).extend(each.points)
    return [Series(key[0], tags[key], points) for key, points in by_tags.items()]


def _stretches(
    points: Sequence[Point], since: datetime, until: datetime, spacing: Decimal, amounts: bool
) -> Iterator[_Stretch]:
    """One for each point, and what is filled in between."""
    ordered = [(_seconds(at - since), value) for at, value in _in_order(points)]
    # The last one has no next, and stands for as long as those before it did.
    holds = last_holds = min(spacing, _spacing(ordered) or spacing)
    if amounts and ordered:
        # It has only what came until now.
        left = _seconds(until - since) - ordered[-1][0]
        last_holds = min(holds, left) if left > 0 else holds
        ordered = _a_minute(ordered, spacing, holds, last_holds)
    known = [(at, value) for at, value in ordered if value is not None]
    asked = [at for at, value in ordered if value is None]
    for (begin, value), (end, following) in pairwise(known):
        gap = end - begin
        if gap <= spacing * _LATE:
            yield _Stretch(begin, end, value)
            continue
        yield _Stretch(begin, begin + holds, value)
        if gap <= spacing * _FILLED:
            yield _Stretch(begin + holds, end, (value + following) / 2, filled=True)
        else:
            yield from _unknown([at for at in asked if begin < at < end], holds)
    if known:
        last, value = known[-1]
        yield _Stretch(last, last + (last_holds if last == ordered[-1][0] else holds), value)
        yield from _after(last, value, [at for at in asked if at > last], holds, spacing)


def _a_minute(
    ordered: Sequence[_Known], spacing: Decimal, holds: Decimal, last_holds: Decimal
) -> list[_Known]:
    """Amounts, by the minute of their intervals."""
    rates = []
    for place, (at, value) in enumerate(ordered):
        gap = ordered[place + 1][0] - at if place + 1 < len(ordered) else last_holds
        seconds = gap if gap <= spacing * _LATE else holds
        rates.append((at, None if value is None else value * _MINUTE / seconds))
    return rates


def _after(
    last: Decimal, value: Decimal, asked: Sequence[Decimal], holds: Decimal, spacing: Decimal
) -> Iterator[_Stretch]:
    """What has no number behind the last one that has: of the last few intervals it is often not there yet."""
    few = bool(asked) and asked[-1] + holds - last <= spacing * _FILLED
    for at in asked:
        yield _Stretch(at, at + holds, value if few else None, filled=few)


def _unknown(asked: Sequence[Decimal], holds: Decimal) -> Iterator[_Stretch]:
    for at in asked:
        yield _Stretch(at, at + holds, None)


def _in_order(points: Sequence[Point]) -> list[tuple[datetime, Decimal | None]]:
    """By time; of several at one time the last. What cannot be a measurement (negative, NaN) says nothing."""
    by_time = {point.at: _sound(point.value) for point in points}
    return sorted(by_time.items(), key=lambda each: each[0])


def _since_the_first(points: Sequence[Point]) -> list[_Known]:
    ordered = _in_order(points)
    return [(_seconds(at - ordered[0][0]), value) for at, value in ordered]


def _sound(value: float | None) -> Decimal | None:
    number = None if value is None else exact(value)
    return number if number is not None and number.is_finite() and number >= 0 else None


def _spacing(ordered: Sequence[_Known]) -> Decimal | None:
    times = [at for at, _ in ordered]
    if len(times) < 3:
        return None
    return median(after - before for before, after in pairwise(times))


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1)) / 1_000_000
