"""Ticks against a count of every minute, by somebody who reads crontab(5) and knows no library."""

from __future__ import annotations

import string
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ogel.runtime.schedule.cron import Cron

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# Of minute, hour, day of month, month, day of week: the numbers in their order, and names for them.
RINGS: list[tuple[list[int], dict[str, int]]] = [
    (list(range(60)), {}),
    (list(range(24)), {}),
    (list(range(1, 32)), {}),
    (list(range(1, 13)), {name: n + 1 for n, name in enumerate(MONTHS)}),
    (list(range(7)), {name: n for n, name in enumerate(DAYS)}),
]


def numbers(field: str, place: int) -> set[int]:
    ring, names = RINGS[place]

    def at(text: str) -> int:
        number = names[text.lower()] if text.lower() in names else int(text)
        return ring.index(0 if place == 4 and number == 7 else number)

    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, dash, last = span.partition("-")
        # A range whose last day is 7 goes up to it; `*` and a lone number with a step go to the end of the field.
        if span == "*":
            length, start = len(ring), 0
        elif dash:
            start = at(first)
            length = (at(last) - start) % len(ring) + 1
            if place == 4 and last == "7" and first in ("0", "sun"):
                length = 8
        else:
            start = at(first)
            end = 8 if place == 4 else len(ring)
            length = (end - (7 if (place, first) == (4, "7") else start)) if step else 1
        if span == "*" and place == 4:
            length = 8  # 7 is a number of it
        found |= {ring[(start + n) % len(ring)] for n in range(0, length, int(step or 1))}
    return found


def walls(cron: str, since: date, days: int) -> Iterator[datetime]:
    """What a clock on the wall shows."""
    fields = cron.split(" ")
    minutes, hours, month_days, months, week_days = (
        numbers(text, place) for place, text in enumerate(fields)
    )
    both = "*" in (fields[2][0], fields[4][0])
    for day in (since + timedelta(days=n) for n in range(days)):
        by_month, by_week = day.day in month_days, day.isoweekday() % 7 in week_days
        if day.month in months and ((by_month and by_week) if both else (by_month or by_week)):
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    yield datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001


def counted(cron: str, zone: str, since: datetime, days: int) -> Iterator[datetime]:
    """Those later than `since` and not later than so many days after."""
    there, until = ZoneInfo(zone), since + timedelta(days=days)
    shown = walls(cron, since.date() - timedelta(days=2), days + 4)
    if zone == "UTC":
        return (tick for wall in shown if since < (tick := wall.replace(tzinfo=UTC)) <= until)
    if cron.split(" ")[1] != "*":
        found = {wall.replace(tzinfo=there, fold=0).astimezone(UTC) for wall in shown}
        return (tick for tick in sorted(found) if since < tick <= until)
    true = set(shown)
    minutes = (since + timedelta(minutes=n) for n in range(1, days * 24 * 60 + 1))
    return (each for each in minutes if each.astimezone(there).replace(tzinfo=None) in true)


def field(place: int) -> st.SearchStrategy[str]:
    ring, names = RINGS[place]
    one = st.sampled_from([str(n) for n in ring] + [*names] + (["7"] if place == 4 else []))
    step = st.one_of(st.just(""), st.sampled_from([f"/{n}" for n in (1, 2, 3, 5, 7, 20, 100)]))
    ranges = st.tuples(one, one).map("-".join)
    term = st.tuples(st.one_of(one, ranges, ranges, st.just("*")), step).map("".join)
    return st.one_of(st.just("*"), st.lists(term, min_size=1, max_size=3).map(",".join))


EXPRESSIONS = st.tuples(*map(field, range(5))).map(" ".join)
STARTS = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(second=0, microsecond=0)
)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, STARTS)
def test_ticks_are_those_that_a_count_of_all_days_finds(cron: str, since: datetime) -> None:
    expected = list(islice(counted(cron, "UTC", since, 800), 25))
    assume(expected)
    one = Cron(cron, "UTC")
    assert one.next_ticks(since, len(expected)) == expected
    assert one.ticks(since, expected[-1], 100) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(field(0), field(1)).map(" ".join),
    st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia",
         "Antarctica/Troll", "Africa/Casablanca", "America/St_Johns"]
    ),
    st.sampled_from(["03-07", "03-28", "04-04", "10-03", "10-24", "10-31", "02-14"]),
)  # fmt: skip
def test_near_changes_of_the_clocks_too(times: str, zone: str, near: str) -> None:
    cron, since = f"{times} * * *", datetime.fromisoformat(f"2026-{near}T00:00Z")
    expected = list(islice(counted(cron, zone, since, 3), 40))
    one = Cron(cron, zone)
    assert one.next_ticks(since, len(expected)) == expected
    assert one.ticks(since, expected[-1], 100) == expected


@pytest.mark.parametrize(
    ("cron", "since", "ticks"),
    [
        # A day field that begins with a star is not restricted, so that both must be true.
        ("0 9 */100,1-7 * mon", "2026-01-01", ["2026-01-05", "2026-02-02", "2026-03-02"]),
        ("0 9 1-7 * */7", "2026-01-01", ["2026-01-04", "2026-02-01", "2026-03-01"]),
        ("0 9 */2 * mon", "2026-01-01", ["2026-01-05", "2026-01-19", "2026-02-09"]),
        ("0 9 1,15 * fri", "2026-01-01", ["2026-01-01", "2026-01-02", "2026-01-09", "2026-01-15"]),
        ("0 9 1-31 * thu", "2026-01-01", ["2026-01-01", "2026-01-02", "2026-01-03"]),
        # Ranges over the end of their field, with steps and without.
        ("0 9 1 11-2/3 *", "2026-01-02", ["2026-02-01", "2026-11-01", "2027-02-01", "2027-11-01"]),
        ("0 9 1 nov-feb/2 *", "2026-01-02", ["2026-11-01", "2027-01-01", "2027-11-01"]),
        ("0 9 30-2 * *", "2026-01-03", ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02", "2026-03-01"]),
        ("0 9 * * fri-mon/2", "2026-01-01", ["2026-01-02", "2026-01-04", "2026-01-09"]),
        ("0 9 * * 7-1", "2026-01-01", ["2026-01-04", "2026-01-05", "2026-01-11"]),
        ("0 9 * * sat-sun", "2026-01-01", ["2026-01-03", "2026-01-04", "2026-01-10"]),
        # The last and the nth.
        ("0 9 L * *", "2026-01-01", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 9 lw * *", "2026-01-01", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("0 9 * * 5L", "2026-01-01", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("0 9 * * l5", "2026-01-01", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("0 9 * * tue#2,fri#1", "2026-01-01", ["2026-01-02", "2026-01-13", "2026-02-06"]),
        # Leap years, and a century that is none.
        ("0 9 29 2 *", "2096-01-01", ["2096-02-29", "2104-02-29"]),
        ("0 9 29 feb */7", "2026-01-01", ["2032-02-29", "2060-02-29"]),
    ],
)  # fmt: skip
def test_which_days(cron: str, since: str, ticks: list[str]) -> None:
    start = datetime.fromisoformat(since).replace(tzinfo=UTC)
    found = Cron(cron, "UTC").next_ticks(start, len(ticks))
    assert [f"{each:%Y-%m-%d}" for each in found] == ticks
    assert {each.hour for each in found} == {9}


@pytest.mark.parametrize(
    ("cron", "times"),
    [
        ("0 22-4/3 * * *", ["01:00", "04:00", "22:00"]),
        ("50-10/15 0 * * *", ["00:05", "00:50"]),
        ("7/20 1 * * *", ["01:07", "01:27", "01:47"]),
        ("59-0 23-0 * * *", ["00:00", "00:59", "23:00", "23:59"]),
        ("0 0 * * * 58-2/2", ["00:00", "00:00", "00:00"]),
    ],
)
def test_which_times(cron: str, times: list[str]) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
    found = Cron(cron, "UTC").next_ticks(start, len(times))
    assert [f"{each:%H:%M}" for each in found] == times


@pytest.mark.parametrize(
    "cron",
    ["60-5 * * * *", "* 24-4 * * *", "* * 5-0 * *", "* * 32-1 * *", "* * * 13-2 *", "* * * * 8-1", "* * * * sun-xyz",
     "* * jan * *", "* * * mon *", "5-1/0 * * * *", "1-2-3 * * * *", "1/2/3 * * * *", ", * * * *", "1, * * * *",
     "*-5 * * * *", "-5 * * * *", "/5 * * * *", "* * * * mon#6", "* * * * mon#0", "* * * * #1", "* L * * *",
     "* * * * L", "* * L5 * *", "* * * * 5L/2", "* * * * mon#1/2", "0 0 31 4,6 *", "0 0 */30,31 2,4 tue#5",
     "* * * * 1" + "1" * 5000,
     "* * * * 5##1", "* * W * *", "* * 5W * *", "1 2 3 4 5 6 7", "? * * * *", "* * ? * *"],
    ids=lambda cron: cron[:20],
)  # fmt: skip
def test_what_means_nothing_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        Cron(cron, "UTC")


@settings(deadline=None)
@given(st.text(string.digits[:8] + "*,/-#LW", min_size=1, max_size=6), st.integers(0, 4))
def test_any_field_is_refused_or_read_as_crontab_has_it(text: str, place: int) -> None:
    fields = ["0", "0", "*", "*", "*"]
    fields[place] = text
    cron = " ".join(fields)
    try:
        one = Cron(cron, "UTC")
    except ValueError:
        return
    assume(not set(text) & set("#LW"))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    expected = list(islice(counted(cron, "UTC", since, 800), 10))
    assert one.next_ticks(since, len(expected)) == expected
