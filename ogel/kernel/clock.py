"""The time as Ogel writes it: timezone-aware datetimes in UTC, as text in RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """
    Formats as `2026-01-31T08:15:30.123456Z`. The microseconds are always there, so that sorting the text sorts by time.
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
