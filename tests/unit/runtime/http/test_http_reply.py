"""Times leave as RFC 3339 in UTC with microseconds, wherever they stand in an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import msgspec

from ogel.runtime.http.reply import encode_json

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
NOON_ELSEWHERE = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))


class Inner(msgspec.Struct, frozen=True, rename="camel"):
    happened_at: datetime
    raw_data: msgspec.Raw


@dataclass(frozen=True)
class Outer:
    inner: list[Inner]
    times: dict[str, datetime]


def test_times_are_utc_with_microseconds() -> None:
    outer = Outer([Inner(NOON, msgspec.Raw(b'{ "as":  1.0}'))], {"noon": NOON_ELSEWHERE})
    assert encode_json(outer) == (
        b'{"inner":[{"happenedAt":"2026-01-31T12:00:00.000000Z","rawData":{ "as":  1.0}}],'
        b'"times":{"noon":"2026-01-31T12:00:00.000000Z"}}'
    )


def test_deep_values_are_encoded() -> None:
    value: list[object] = []
    for _ in range(400):
        value = [value]
    assert encode_json(value) == b"[" * 401 + b"]" * 401
