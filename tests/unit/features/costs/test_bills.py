"""Bills of six projects, given as Railway's metrics, against arithmetic done by hand; and what metrics leave out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ogel.features.costs.bill import Bill, bill
from ogel.features.costs.from_metrics import Found, Metrics
from ogel.features.costs.period import Period, calendar_month
from ogel.runtime.prices.table import price_table
from ogel.runtime.railway import Point, Series

HOUR = timedelta(hours=1)
PRICES = price_table()
NAMES = {"a": "api", "p": "Postgres", "w": "worker", "r": "Redis"}
NOVEMBER = calendar_month(datetime(2026, 11, 15, tzinfo=UTC))  # 30 days
DECEMBER = calendar_month(datetime(2026, 12, 15, tzinfo=UTC))  # 31 days
FEBRUARY = calendar_month(datetime(2026, 2, 15, tzinfo=UTC))  # 28 days
MEMORY, CPU, SENT = "MEMORY_USAGE_GB", "CPU_USAGE", "NETWORK_TX_GB"
DISK, BACKUPS = "DISK_USAGE_GB", "BACKUP_USAGE_GB"


def test_an_idle_suite_in_a_month_of_thirty_days() -> None:
    """
    43,200 minutes, as many as Railway's month has.

    api       memory 0.12 GB * $10 = 1.20   cpu 0.002 * $20 = 0.04   egress 720 h * 0.005 GB = 3.6 GB * $0.05 = 0.18
    Postgres  memory 0.08 GB * $10 = 0.80   cpu 0.001 * $20 = 0.02   volume 2 GB * $0.15 = 0.30
    """
    series = [
        steady("a", MEMORY, 0.12, NOVEMBER),
        steady("a", CPU, 0.002, NOVEMBER),
        steady("a", SENT, 0.005, NOVEMBER),
        steady("p", MEMORY, 0.08, NOVEMBER),
        steady("p", CPU, 0.001, NOVEMBER),
        steady("p", DISK, 2.0, NOVEMBER),
    ]
    found = billed(series, NOVEMBER)
    assert found.services == {"api": Decimal("1.42"), "Postgres": Decimal("1.12")}
    assert found.resources == {
        "memory": Decimal("2.00"),
        "cpu": Decimal("0.06"),
        "egress": Decimal("0.18"),
        "volume": Decimal("0.30"),
    }
    assert found.total == Decimal("2.54")


@pytest.mark.parametrize(
    ("month", "dollars"),
    [
        (FEBRUARY, "18.67"),  # 40,320 min: (1 GB * $10 + 0.5 vCPU * $20) * 40,320 / 43,200 = 20 * 0.93333
        (NOVEMBER, "20.00"),  # 43,200 min
        (DECEMBER, "20.67"),  # 44,640 min: 20 * 1.03333
    ],
)
def test_a_longer_month_costs_more(month: Period, dollars: str) -> None:
    series = [steady("a", MEMORY, 1.0, month), steady("a", CPU, 0.5, month)]
    assert billed(series, month).total == Decimal(dollars)


def test_deployments_that_overlap_are_both_billed() -> None:
    """
    0.5 GB from the 1st to the 10th, 12:00: 228 h; the next deployment from the 10th, 10:00 on: 494 h.
    (228 + 494) h * 60 * 0.5 GB = 21,660 GB-min * $10 / 43,200 = $5.0139
    """
    start = NOVEMBER.start
    tenth = start + timedelta(days=9)
    series = [
        steady("a", MEMORY, 0.5, Period(start, tenth + 12 * HOUR), deployment_id="old"),
        steady("a", MEMORY, 0.5, Period(tenth + 10 * HOUR, NOVEMBER.end), deployment_id="new"),
    ]
    assert billed(series, NOVEMBER).total == Decimal("5.01")


def test_services_that_come_and_go() -> None:
    """
    worker   made on the 16th: 15 days, 21,600 min * 1 GB * $10 / 43,200 = $5.00; 360 h * 0.1 GB * $0.05 = $1.80
    deleted  until the 8th: 7 days, 10,080 min * 0.6 GB * $10 / 43,200 = $1.40; no service has its id any more
    """
    start = NOVEMBER.start
    series = [
        steady("w", MEMORY, 1.0, Period(start + timedelta(days=15), NOVEMBER.end)),
        steady("w", SENT, 0.1, Period(start + timedelta(days=15), NOVEMBER.end)),
        steady("0b1c2d3e-gone", MEMORY, 0.6, Period(start, start + timedelta(days=7))),
    ]
    found = billed(series, NOVEMBER)
    assert found.services == {"worker": Decimal("6.80"), "deleted 0b1c2d3e": Decimal("1.40")}
    assert found.total == Decimal("8.20")


def test_gaps_and_nulls() -> None:
    """
    30 days of 2 GB, of which
    - two hours failed to be measured on the 3rd: filled in, 0 less
    - the service was stopped from the 10th to the 12th: no points for 48 h, not billed
    - the value of one hour on the 20th is null: filled in, 0 less
    (720 - 48) h * 60 * 2 GB = 80,640 GB-min * $10 / 43,200 = $18.67
    """
    start = NOVEMBER.start
    whole = steady("a", MEMORY, 2.0, NOVEMBER)
    lost = {start + timedelta(days=2, hours=5), start + timedelta(days=2, hours=6)}
    null = start + timedelta(days=19, hours=7)
    stopped = Period(start + timedelta(days=9), start + timedelta(days=11))
    points = [
        Point(each.at, None if each.at == null else each.value)
        for each in whole.points
        if each.at not in lost and not stopped.start <= each.at < stopped.end
    ]
    found = found_in([Series(MEMORY, whole.tags, points)], NOVEMBER)
    assert bill(found.used, PRICES).total == Decimal("18.67")
    assert not found.missing
    assert found.notes == ["api, memory: 3.0 h without figures were taken for what is before and after them"]


def test_uneven_samples_of_a_rising_level() -> None:
    """
    Memory of 1 GB for the first 10 days, 3 GB for the other 20, looked at after 20, 40 and 60 minutes in turn, of every
    two hours: 14,400 * 1 + 28,800 * 3 = 100,800 GB-min * $10 / 43,200 = $23.33. What is sent, 0.02 GB in each third:
    360 * 3 * 0.02 = 21.6 GB * $0.05 = $1.08. Backups of 5 GB: 5 * $0.15 = $0.75.
    """
    step = NOVEMBER.start + timedelta(days=10)
    times = [
        NOVEMBER.start + 2 * HOUR * turn + timedelta(minutes=minute)
        for turn in range(360)
        for minute in (0, 20, 60)
    ]
    tags = {"service_id": "a"}
    series = [
        Series(MEMORY, tags, [Point(at, 1.0 if at < step else 3.0) for at in reversed(times)]),
        Series(SENT, tags, [Point(at, 0.02) for at in times]),
        steady("p", BACKUPS, 5.0, NOVEMBER),
    ]
    found = billed(series, NOVEMBER)
    assert found.resources == {
        "memory": Decimal(
            "23.32"
        ),  # what comes after the last point is not known: it stands for the usual 40 min
        "egress": Decimal("1.08"),
        "backups": Decimal("0.75"),
    }


# Lesser cases.


def test_a_month_that_is_not_over_is_billed_until_now() -> None:
    """Ten days and a half hour: 14,430 min * 1 GB * $10 / 43,200 = $3.34; the half hour has sent what it has."""
    now = NOVEMBER.start + timedelta(days=10, minutes=30)
    until_now = Period(NOVEMBER.start, now)
    series = [steady("a", MEMORY, 1.0, until_now), steady("a", SENT, 1.0, until_now)]
    found = found_in(series, until_now)
    assert bill(found.used, PRICES).resources["memory"] == Decimal("3.34")
    assert [each.quantity for each in found.used if each.resource == "egress"] == [pytest.approx(241)]


def test_what_began_before_the_period_counts_from_its_beginning() -> None:
    before = Period(NOVEMBER.start - timedelta(days=3), NOVEMBER.end + timedelta(days=3))
    series = [steady("a", MEMORY, 1.0, before), steady("a", SENT, 1.0, before)]
    found = billed(series, NOVEMBER)
    assert found.resources == {"memory": Decimal("10.00"), "egress": Decimal("36.00")}


def test_long_nulls_make_a_figure_partial() -> None:
    points = [
        Point(each.at, None if 100 <= place < 124 else each.value)
        for place, each in enumerate(steady("a", MEMORY, 1.0, NOVEMBER).points)
    ]
    found = found_in([Series(MEMORY, {"service_id": "a"}, points)], NOVEMBER)
    assert found.missing == ["api, memory: Railway has no figures for 24.0 h of it"]
    assert bill(found.used, PRICES).total == Decimal("9.67")  # 696 of 720 h


def test_the_newest_figures_may_not_be_there_yet() -> None:
    whole = steady("a", MEMORY, 1.0, NOVEMBER)
    points = [*whole.points[:-2], *(Point(each.at, None) for each in whole.points[-2:])]
    found = found_in([Series(MEMORY, whole.tags, points)], NOVEMBER)
    assert bill(found.used, PRICES).total == Decimal("10.00") and not found.missing


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -3.0, 1e300])
def test_what_cannot_be_measured_says_nothing(odd: float) -> None:
    whole = steady("a", MEMORY, 1.0, NOVEMBER)
    points = [Point(each.at, odd if place == 50 else each.value) for place, each in enumerate(whole.points)]
    assert billed([Series(MEMORY, whole.tags, points)], NOVEMBER).total == Decimal("10.00")


def test_what_comes_twice_counts_once() -> None:
    whole = steady("a", MEMORY, 1.0, NOVEMBER)
    half = Series(MEMORY, whole.tags, whole.points[:400])
    assert billed([whole, half, whole], NOVEMBER).total == Decimal("10.00")


def test_a_server_may_thin_its_points_out() -> None:
    """Asked for hours, it has quarters of days."""
    whole = steady("a", MEMORY, 1.0, NOVEMBER)
    assert billed([Series(MEMORY, whole.tags, whole.points[::6])], NOVEMBER).total == Decimal("10.00")


def test_other_measurements_are_not_billed() -> None:
    series = [steady("a", "MEMORY_LIMIT_GB", 8.0, NOVEMBER), steady("a", "NETWORK_RX_GB", 8.0, NOVEMBER)]
    assert billed(series, NOVEMBER).total == 0


def test_days_add_up_to_the_month() -> None:
    series = [
        steady("a", MEMORY, 1.0, NOVEMBER),
        steady("p", MEMORY, 0.5, NOVEMBER),
        steady("a", SENT, 0.1, NOVEMBER),
    ]
    days = Metrics(series, NOVEMBER.end - HOUR, 3600).days(NOVEMBER.start + HOUR)
    assert len(days) == 28, "the first and the last are not whole"
    assert {each.used["memory"] for each in days} == {Decimal(2160)}
    assert {each.used["egress"] for each in days} == {Decimal("2.4")}


def steady(service_id: str, measurement: str, value: float, period: Period, **tags: str) -> Series:
    points = [Point(at, value) for at in hours(period)]
    return Series(measurement, {"service_id": service_id, **tags}, points)


def hours(period: Period) -> Iterator[datetime]:
    at = period.start
    while at < period.end:
        yield at
        at += HOUR


def found_in(series: Sequence[Series], period: Period) -> Found:
    return Metrics(series, period.end, 3600).used(NAMES, period.start)


def billed(series: Sequence[Series], period: Period) -> Bill:
    found = bill(found_in(series, period).used, PRICES)
    assert sum(line.dollars for line in found.lines) == found.total
    assert sum(found.services.values()) == sum(found.resources.values()) == found.total
    return found
