"""Which expressions are schedules, and when their ticks are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.runtime.schedule.schedule import Schedule

START = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=5000)).map(lambda passed: START + passed)
CRONS = [
    "* * * * *",
    "*/15 * * * *",
    "0 3 * * *",
    "30 2 1,15 * *",
    "0 0 29 2 *",
    "5 4 * * mon-fri",
    "0 12 31 * 7",
]


def schedule(cron: str, name: str = "retention.purge") -> Schedule:
    return Schedule(name, cron, kind="retention.purge", description="Deletes what is past its retention.")


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "nonsense",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "* * * * maybe",
        "@daily",
        "0 0 30 2 *",
        "R * * * *",
        "H/10 * * * *",
        "*  * * * *",
        "* * * *\n*",
        "٣ * * * *",
    ],
)
def test_a_bad_expression_is_refused_by_name(cron: str) -> None:
    with pytest.raises(ValueError, match=r"'retention\.purge'.*cron"):
        schedule(cron)


@pytest.mark.parametrize("name", ["", "Purge", "a-b", "a..b", ".a", "a/b", "a b", "x" * 65])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="schedule name"):
        schedule("* * * * *", name)


def test_ticks_are_counted_in_utc_whatever_zone_is_asked_in() -> None:
    daily = schedule("0 3 * * *")
    tokyo = timezone(timedelta(hours=9))
    assert daily.next_tick(datetime(2026, 3, 1, 11, 59, tzinfo=tokyo)) == datetime(
        2026, 3, 1, 3, 0, tzinfo=UTC
    )
    assert daily.last_tick(datetime(2026, 3, 1, 11, 59, tzinfo=tokyo)) == datetime(
        2026, 2, 28, 3, 0, tzinfo=UTC
    )


def test_a_tick_itself_is_the_last_one_and_not_the_next() -> None:
    tick = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
    daily = schedule("0 3 * * *")
    assert daily.last_tick(tick) == tick
    assert daily.last_tick(tick - timedelta(microseconds=1)) == tick - timedelta(days=1)
    assert daily.next_tick(tick) == tick + timedelta(days=1)
    assert daily.next_tick(tick - timedelta(microseconds=1)) == tick


def test_a_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        schedule("* * * * *").next_tick(datetime(2026, 3, 1))  # noqa: DTZ001


@given(st.sampled_from(CRONS), MOMENTS)
def test_every_moment_lies_between_two_neighbouring_ticks(cron: str, moment: datetime) -> None:
    one = schedule(cron)
    last, following = one.last_tick(moment), one.next_tick(moment)
    assert last <= moment < following
    assert one.next_tick(last) == following
    assert one.last_tick(following) == following
    assert one.last_tick(following - timedelta(seconds=1)) == last


@given(st.text("0123456789*,/-# LWlwHRhrmonjafe", max_size=24))
def test_any_text_is_either_a_schedule_or_a_value_error(cron: str) -> None:
    try:
        one = schedule(cron)
    except ValueError:
        return
    assert one.next_tick(datetime(2026, 1, 1, tzinfo=UTC)) > datetime(2026, 1, 1, tzinfo=UTC)
