"""Times as S3 writes them: to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"
