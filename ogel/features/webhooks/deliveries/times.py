"""Selects deliveries by time through their ids, which are ordered by time, so that one index serves both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ogel.kernel.ids import id_at

# An id, its row's created_at and its event's come from different clocks, which are assumed to agree within this.
# Rows that a range of ids includes wrongly are left out by comparing the times themselves.
CLOCKS_AGREE = timedelta(minutes=10)
# No row is older or younger; calculating with datetimes at the ends of their range would fail.
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def ids_since(since: datetime | None) -> str:
    """No delivery made at `since` or later has a smaller id."""
    return id_at("dlv", max(since or _EARLIEST, _EARLIEST) - CLOCKS_AGREE)


def ids_until(until: datetime | None) -> str:
    """All deliveries made until then have smaller ids."""
    return id_at("dlv", min(until or _LATEST, _LATEST) + CLOCKS_AGREE)
