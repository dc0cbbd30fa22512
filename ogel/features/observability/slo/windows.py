"""Windows: spans that end now, taken together of whole minutes, hours and days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOWS = {
    "5m": timedelta(minutes=5),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "3d": timedelta(days=3),
    "30d": timedelta(days=30),
}
# Those that people are shown; the others are for alerts.
SHOWN = ("1h", "24h", "30d")
# Longer windows begin with a whole hour, so that minutes need not be kept for long.
_LONGEST_BY_MINUTE = timedelta(hours=6)
MINUTES_KEPT = timedelta(hours=26)


class Piece(Struct, frozen=True):
    """A part of the window `name`: rows of such buckets that begin in it."""

    name: str
    bucket: str
    since: datetime
    until: datetime


def begin_of(window: str, now: datetime) -> datetime:
    """The window is a little longer than its name says: by a part of a minute, or of an hour when that is past six."""
    length = WINDOWS[window]
    begin = (now - length).astimezone(UTC).replace(second=0, microsecond=0)
    return begin if length <= _LONGEST_BY_MINUTE else begin.replace(minute=0)


def pieces_of(window: str, now: datetime) -> Sequence[Piece]:
    """Minutes until the next hour, hours until the next day, and days: together the window, each moment of it once."""
    begin = begin_of(window, now)
    # Another process's clock may be ahead.
    end = now + _DAY
    hours = _round_up(begin, _HOUR)
    days = _round_up(begin, _DAY)
    spans = (("minute", begin, hours), ("hour", hours, days), ("day", days, end))
    return [Piece(window, bucket, since, until) for bucket, since, until in spans if since < until]


def _round_up(at: datetime, step: timedelta) -> datetime:
    past = (at - datetime(1970, 1, 1, tzinfo=UTC)) % step
    return at if not past else at + step - past
