"""How long an answer asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis.strategies import text

from ogel.runtime.delivery.retry_after import MOST_RETRY_AFTER_SECONDS, retry_after_seconds
from tests.support.scripted_egress import answer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sunday, 01-Mar-26 12:01:30 GMT", 90.0),
        ("Sun Mar  1 12:01:30 2026", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Wed, 01 Mar 2096 11:00:00 GMT", MOST_RETRY_AFTER_SECONDS),
        ("99999999999999999999", MOST_RETRY_AFTER_SECONDS),
        ("-5", 0.0),
        ("+5", 5.0),
        ("1.5", 1.5),
        ("300.5", 300.5),
        (".5", 0.5),
        ("5.", 5.0),
        ('"120"', 120.0),
        ("120s", 120.0),
        ("120 Seconds", 120.0),
        ("1500ms", 1.5),
        ("2m", 120.0),
        ("48h", MOST_RETRY_AFTER_SECONDS),
        ("2814, 2", 2814.0),
        ("2,2814", 2814.0),
        (",5,", 5.0),
        ("soon, 5", 5.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT, 5", 90.0),
        ("120, Sun, 01 Mar 2026 12:01:30 GMT", 120.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT, Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sunday, 01-Mar-26 12:01:30 GMT,Sun Mar  1 12:02:00 2026", 120.0),
        ('"Sun, 01 Mar 2026 12:01:30 GMT"', 90.0),
        ("9" * 5000, MOST_RETRY_AFTER_SECONDS),
        ("5 days", None),
        ("5 5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("0x10", None),
        ("1_000", None),
        ("sun,", None),
        (",", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Sun, 99 Mar 2026 12:01:30 GMT", None),
        ("Sun, 01 Mar 99999 12:01:30 GMT", None),
        ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:01:30 +99999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", MOST_RETRY_AFTER_SECONDS),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(value: str | None, seconds: float | None) -> None:
    exchange = answer(503) if value is None else answer(503, retry_after=value)
    assert retry_after_seconds(exchange, NOW) == seconds


def test_the_longest_of_several_headers_counts() -> None:
    exchange = answer(503)
    exchange.headers = [("Retry-After", "7"), ("X", "900"), ("retry-after", "2814"), ("RETRY-AFTER", "soon")]
    assert retry_after_seconds(exchange, NOW) == 2814


@given(text() | text('0123456789.,-+ smhGMTSun:Mar\t"', max_size=200))
def test_whatever_it_says_is_a_bounded_wait_or_none(value: str) -> None:
    seconds = retry_after_seconds(answer(503, retry_after=value), NOW)
    assert seconds is None or 0.0 <= seconds <= MOST_RETRY_AFTER_SECONDS
