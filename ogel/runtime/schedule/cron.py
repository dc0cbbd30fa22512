"""A cron expression in a time zone, and the times (ticks) that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from ogel.runtime.schedule.expression import Expression

_MOMENT = timedelta(microseconds=1)
# Longer than any shift of a clock (daylight saving time).
_NEAR = timedelta(hours=25)
# An arbitrary fixed time: it only shows whether the expression has any ticks.
_TRIAL = datetime(2024, 1, 1, tzinfo=UTC)


class Cron:
    """
    What runtime/schedule/expression.py takes, in a zone. A time of day that the clocks skip or show twice is one tick:
    as RFC 5545 (3.3.5) reads it, counted by the offset before the change, and the first of the two. Only an hour field
    of `*` follows the clocks as they go: it ticks in both hours of the same name, and in none that does not exist.

    ValueError when the expression or the zone cannot be used, or the expression never comes true.
    """

    __slots__ = ("_expression", "_zone", "least_gap_seconds")

    def __init__(self, text: str, timezone: str) -> None:
        if not is_zone(timezone):
            raise ValueError(f"timezone {timezone[:100]!r} is not one like 'Europe/Berlin'")
        self._zone = ZoneInfo(timezone)
        try:
            self._expression = Expression(text)
            self.least_gap_seconds = self._expression.least_gap_seconds()
            self.next_tick(_TRIAL)
            self.last_tick(_TRIAL)
        except ValueError as error:
            raise ValueError(f"cron {text[:100]!r} {error}") from error

    def next_tick(self, after: datetime) -> datetime:
        """Returns the first tick later than `after`."""
        start = self._wall(after) - self._shift(after)
        best: datetime | None = None
        for wall in self._expression.after(start):
            best = min(
                (tick for tick in (best, *self._ticks_at(wall)) if tick and tick > after), default=None
            )
            if best is not None and wall >= self._wall(best) + self._shift(best):
                return best
        raise AssertionError("an expression has ticks for ever, or is refused")

    def last_tick(self, until: datetime) -> datetime:
        """Returns the last tick not later than `until`."""
        start = self._wall(until) + self._shift(until) + self._expression.step
        best: datetime | None = None
        for wall in self._expression.before(start):
            best = max(
                (tick for tick in (best, *self._ticks_at(wall)) if tick and tick <= until), default=None
            )
            if best is not None and wall <= self._wall(best) - self._shift(best):
                return best
        raise AssertionError("an expression has ticks for ever, or is refused")

    def ticks(self, since: datetime, until: datetime, most: int) -> list[datetime]:
        """Returns the ticks after `since` up to `until`, oldest first; if there are more than `most`, the newest."""
        found: list[datetime] = []
        tick = self.last_tick(until)
        while tick > since and len(found) < most:
            found.append(tick)
            tick = self.last_tick(tick - _MOMENT)
        return found[::-1]

    def next_ticks(self, after: datetime, count: int) -> list[datetime]:
        found: list[datetime] = []
        for _ in range(count):
            after = self.next_tick(after)
            found.append(after)
        return found

    def _ticks_at(self, wall: datetime) -> Sequence[datetime]:
        first, second = (wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first == second or not self._expression.every_hour:
            return (first,)
        return (first, second) if first < second else ()

    def _wall(self, moment: datetime) -> datetime:
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone")
        return moment.astimezone(self._zone).replace(tzinfo=None)

    def _shift(self, moment: datetime) -> timedelta:
        """Returns how far the clocks are shifted near that moment, which is mostly zero."""
        before, after = ((moment + by).astimezone(self._zone).utcoffset() for by in (-_NEAR, _NEAR))
        assert before is not None
        assert after is not None
        return abs(after - before)


@lru_cache(maxsize=1024)
def cron(text: str, timezone: str = "UTC") -> Cron:
    """Returns a Cron, which may be shared: parsing one takes a few milliseconds. Raises ValueError as Cron does."""
    return Cron(text, timezone)


def is_zone(name: str) -> bool:
    return name in _zones()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """Names of the IANA database only; a system's directory also contains `posixrules`, `localtime` and such."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split()) - {"Factory"}
