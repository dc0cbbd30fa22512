"""When an object is to end, as whoever stores it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ogel.features.storage.errors import invalid_request
from ogel.kernel.clock import utc_now

# Longer is for ever; dates of Python and Postgres go on for long enough.
_MOST_SECONDS = 100 * 366 * 24 * 3600


def end_of(seconds: str | None, at: str | None) -> datetime | None:
    """
    `seconds` from now, or `at` a time with its offset (RFC 3339); None: it has no end. Raises StorageError
    InvalidRequest for anything else, both, and what is over.
    """
    if seconds is not None and at is not None:
        raise invalid_request("x-expires-in and x-expires-at are given; one of them is enough")
    if seconds is not None:
        if not (seconds.isascii() and seconds.isdigit() and 0 < int(seconds[:20]) <= _MOST_SECONDS):
            raise invalid_request(f"x-expires-in takes 1 to {_MOST_SECONDS} seconds")
        return utc_now() + timedelta(seconds=int(seconds))
    return None if at is None else _time(at)


def _time(text: str) -> datetime:
    try:
        end = datetime.fromisoformat(text)
        if end.tzinfo is None:
            raise ValueError
        end = end.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid_request("x-expires-at takes a time such as 2030-01-31T12:00:00Z") from None
    if not timedelta() < end - utc_now() <= timedelta(seconds=_MOST_SECONDS):
        raise invalid_request("x-expires-at takes a time to come, in a hundred years at most")
    return end
