"""Deliveries by time: their ids are made in the order of time, so an index on ids answers for both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ogel.kernel.ids import id_at

# An id is made by a process' clock, its row's created_at and its event's by others. They are taken to agree within
# this; what a range of ids holds too much is left out by the times themselves.
CLOCKS_AGREE = timedelta(minutes=10)
# Nothing is older or younger; datetimes next to the ends of their range cannot be calculated with.
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def ids_since(since: datetime | None) -> str:
    """No delivery made at `since` or later has a lesser id."""
    return id_at("dlv", max(since or _EARLIEST, _EARLIEST) - CLOCKS_AGREE)


def ids_until(until: datetime | None) -> str:
    """All deliveries made until then have lesser ids."""
    return id_at("dlv", min(until or _LATEST, _LATEST) + CLOCKS_AGREE)
