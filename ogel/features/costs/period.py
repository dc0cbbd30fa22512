"""Billing periods: a month from one day to the same of the next, or a month of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from ogel.runtime.http.route import Timestamp

DAY = timedelta(days=1)


class Period(Struct, frozen=True):
    """`end` itself is of the next one."""

    start: Timestamp
    end: Timestamp


def minutes(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1)) / 60_000_000


def midnight(at: datetime) -> datetime:
    """Of its day, in UTC."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def calendar_month(now: datetime) -> Period:
    """In UTC."""
    start = midnight(now).replace(day=1)
    return Period(start, (start + 32 * DAY).replace(day=1))
