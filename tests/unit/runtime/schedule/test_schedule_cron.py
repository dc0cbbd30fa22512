"""Which expressions are schedules, and when their ticks are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.runtime.schedule.cron import Cron
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
    "@hourly",
    "30 2 * * *",
    "*/20 1-3 * * *",
    "15 3 * * * 30",
    "* * * * * */20",
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]


def schedule(cron: str, name: str = "retention.purge") -> Schedule:
    return Schedule(name, cron, kind="retention.purge", description="Deletes what is past its retention.")


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "nonsense",
        "* * * *",
        "* * * * * * *",
        "* * * * * 60",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "* * * * maybe",
        "@reboot",
        "@Daily",
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


@pytest.mark.parametrize("name", ["", "Purge", "a.b", "a--b", "-a", "a-", "a b", "x" * 65])
def test_a_user_s_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="schedule name"):
        Schedule(name, "@daily", kind="retention.purge", id="sch_1")


@pytest.mark.parametrize(
    "zone",
    ["", "Berlin", "europe/berlin", "localtime", "posix/UTC", "../UTC", "/etc/localtime", "Factory", "a\0"],
)
def test_a_bad_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="timezone"):
        Cron("@daily", zone)


def test_ticks_are_counted_in_utc_whatever_zone_is_asked_in() -> None:
    daily = Cron("0 3 * * *", "UTC")
    tokyo = timezone(timedelta(hours=9))
    assert daily.next_tick(datetime(2026, 3, 1, 11, 59, tzinfo=tokyo)) == datetime(
        2026, 3, 1, 3, 0, tzinfo=UTC
    )
    assert daily.last_tick(datetime(2026, 3, 1, 11, 59, tzinfo=tokyo)) == datetime(
        2026, 2, 28, 3, 0, tzinfo=UTC
    )


def test_a_tick_itself_is_the_last_one_and_not_the_next() -> None:
    tick = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
    daily = Cron("0 3 * * *", "UTC")
    assert daily.last_tick(tick) == tick
    assert daily.last_tick(tick - timedelta(microseconds=1)) == tick - timedelta(days=1)
    assert daily.next_tick(tick) == tick + timedelta(days=1)
    assert daily.next_tick(tick - timedelta(microseconds=1)) == tick


def test_a_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Cron("* * * * *", "UTC").next_tick(datetime(2026, 3, 1))  # noqa: DTZ001


# Berlin's clocks go from 02:00 to 03:00 on 29 March 2026 and from 03:00 to 02:00 on 25 October, New York's from 02:00
# to 03:00 on 8 March and from 02:00 to 01:00 on 1 November.
@pytest.mark.parametrize(
    ("cron", "zone", "begin", "ticks"),
    [
        # A time that does not exist is counted by the offset before the change: it is once, an hour later by name.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28", ["28T01:30", "29T01:30", "30T00:30"]),
        ("30 2 * * *", "America/New_York", "2026-03-07", ["07T07:30", "08T07:30", "09T06:30"]),
        # A time that is shown twice is the first of the two.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24", ["24T00:30", "25T00:30", "26T01:30"]),
        ("30 1 * * *", "America/New_York", "2026-10-31", ["31T05:30", "01T05:30", "02T06:30"]),
        # What is not moved keeps its name.
        ("0 12 * * *", "Europe/Berlin", "2026-03-28", ["28T11:00", "29T10:00"]),
        # Every hour is every hour.
        ("30 * * * *", "Europe/Berlin", "2026-03-29", ["29T00:30", "29T01:30", "29T02:30"]),
        ("30 * * * *", "Europe/Berlin", "2026-10-25", ["25T00:30", "25T01:30", "25T02:30"]),
        ("@hourly", "America/New_York", "2026-11-01T05:00", ["01T06:00", "01T07:00", "01T08:00"]),
        # Hours that are named are once.
        ("0 1,2,3 * * *", "Europe/Berlin", "2026-10-24T22:00", ["24T23:00", "25T00:00", "25T02:00"]),
        ("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29", ["29T01:00", "29T01:30", "30T00:00"]),
        # Where the clocks go by half an hour.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-02", ["02T15:45", "03T15:45", "04T15:15"]),
        ("20,31 2 * * *", "Australia/Lord_Howe", "2026-10-03T15:00", ["03T15:31", "03T15:50", "04T15:20"]),
    ],
)
def test_when_the_clocks_are_moved(cron: str, zone: str, begin: str, ticks: list[str]) -> None:
    one = Cron(cron, zone)
    found = one.next_ticks(datetime.fromisoformat(begin).replace(tzinfo=UTC), len(ticks))
    assert [f"{tick:%dT%H:%M}" for tick in found] == ticks
    for earlier, later in pairwise(found):
        assert one.last_tick(later - timedelta(seconds=1)) == earlier
    assert one.ticks(found[0] - timedelta(seconds=1), found[-1], 10) == found
    assert one.ticks(found[0], found[-1], 1) == found[-1:]


@given(st.sampled_from(CRONS), st.sampled_from(ZONES), MOMENTS)
def test_every_moment_lies_between_two_neighbouring_ticks(cron: str, zone: str, moment: datetime) -> None:
    one = Cron(cron, zone)
    last, following = one.last_tick(moment), one.next_tick(moment)
    assert last <= moment < following
    assert one.next_tick(last) == following
    assert one.last_tick(following) == following
    assert one.last_tick(following - timedelta(seconds=1)) == last


CHANGES = st.sampled_from(
    [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2026, 11, 1, 6, tzinfo=UTC),
    ]
)


@given(
    st.sampled_from(CRONS),
    st.sampled_from(ZONES),
    CHANGES,
    st.timedeltas(-timedelta(hours=4), timedelta(hours=4)),
)
def test_near_a_change_of_the_clocks_too(cron: str, zone: str, change: datetime, by: timedelta) -> None:
    one = Cron(cron, zone)
    last, following = one.last_tick(change + by), one.next_tick(change + by)
    assert last <= change + by < following
    assert one.next_tick(last) == following
    assert one.last_tick(following - timedelta(microseconds=1)) == last


@pytest.mark.parametrize(
    ("cron", "seconds"),
    [("* * * * *", 60), ("@daily", 60), ("0 3 * * * 30", 60), ("* * * * * *", 1), ("* * * * * */20", 20),
     ("0 0 3 * * *", 1), ("* * * * * 0,59", 1), ("* * * * * 0,29", 29)],
)  # fmt: skip
def test_how_far_apart_ticks_are_at_least(cron: str, seconds: int) -> None:
    assert Cron(cron, "UTC").least_gap_seconds == seconds


@given(st.text("0123456789*,/#-@ LWlwHRhrmonjafedily", max_size=24))
def test_any_text_is_either_a_schedule_or_a_value_error(cron: str) -> None:
    try:
        one = Cron(cron, "Europe/Berlin")
    except ValueError:
        return
    assert one.next_tick(datetime(2026, 1, 1, tzinfo=UTC)) > datetime(2026, 1, 1, tzinfo=UTC)
