"""Parses Retry-After and similar headers: how long the other side asked us to wait."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ogel.kernel.clock import utc_now
from ogel.runtime.egress import Exchange

# The upper limit of what is believed. Its users (breakers, deliveries, endpoints) have lower limits of their own.
MOST_RETRY_AFTER_SECONDS = 86_400.0
_MOST_CHARACTERS = 1_000

# RFC 9110 §10.2.3 allows whole seconds or one of the three date formats of §5.6.7. Servers also send fractions and
# units, and proxies add a second header or value. Values are separated by commas, which dates contain as well.
_DAY = re.compile(r'[\s"]*(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*', re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_UNITS = {
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
}


def retry_after_seconds(exchange: Exchange, now: datetime | None = None) -> float | None:
    """Returns the longest wait asked for, 0 for a time in the past. None when there is none, or it cannot be read."""
    waits = [_seconds(value, now or utc_now()) for value in _values(exchange)]
    asked = [seconds for seconds in waits if seconds is not None]
    return min(MOST_RETRY_AFTER_SECONDS, max(0.0, *asked)) if asked else None


def _values(exchange: Exchange) -> Iterator[str]:
    for name, text in exchange.headers:
        if name.lower() != "retry-after":
            continue
        day = ""
        for piece in text[:_MOST_CHARACTERS].split(","):
            if _DAY.fullmatch(piece):
                day = f"{piece},"
            else:
                yield (day + piece).strip(' \t"')
                day = ""


def _seconds(text: str, now: datetime) -> float | None:
    number = _NUMBER.fullmatch(text)
    if number is not None:
        unit = _UNITS.get(number[2].lower())
        return None if unit is None else float(number[1]) * unit
    date = _date(text)
    return None if date is None else (date - now).total_seconds()


def _date(text: str) -> datetime | None:
    """Parses a date. Without a zone it is GMT, as all dates in HTTP are."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
