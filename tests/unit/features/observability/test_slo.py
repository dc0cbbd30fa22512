"""Service level objectives, as rules: windows of pieces, minutes that are up, budgets, and when they burn too fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.features.costs.contract import ThisPeriod
from ogel.features.observability.settings import ObservabilitySettings
from ogel.features.observability.slo.alerts import RULES, samples_of
from ogel.features.observability.slo.objectives import Objective, is_promised, objectives
from ogel.features.observability.slo.spending import spending
from ogel.features.observability.slo.standings import UNKNOWN, Standing, standing
from ogel.features.observability.slo.store import Sum
from ogel.features.observability.slo.uptime import Hour, Minutes, minutes_of
from ogel.features.observability.slo.windows import MINUTES_KEPT, SHOWN, WINDOWS, begin_of, pieces_of
from ogel.runtime.metrics.sketch import Sketch, bucket_of

NOW = datetime(2026, 11, 29, 12, 34, 56, tzinfo=UTC)
NOBODY = Minutes(0, 0)
SERIES = ("http.read", "http.sign_in", "http.stream", "queue.mail", "database")
MOMENTS = st.integers(0, 2 * 365 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))


def known(name: str, **settings: float) -> Objective:
    [found] = [each for each in objectives(ObservabilitySettings(**settings), SERIES) if each.name == name]
    return found


def took(*seconds: float) -> Sum:
    return Sum(len(seconds), 0, Sketch.of(Counter(map(bucket_of, seconds))))


def of(
    name: str, sums: Mapping[str, Sum], minutes: Minutes = NOBODY, window: str = "30d", **settings: float
) -> Standing:
    return standing(known(name, **settings), sums, minutes, WINDOWS[window])


@given(MOMENTS, st.sampled_from(sorted(WINDOWS)))
def test_the_pieces_of_a_window_are_all_of_it_and_touch(now: datetime, window: str) -> None:
    pieces = pieces_of(window, now)
    assert pieces[0].since == begin_of(window, now)
    assert pieces[-1].until > now
    for one, next_to_it in pairwise(pieces):
        assert one.until == next_to_it.since
    for piece in pieces:
        step = {"minute": 60, "hour": 3600, "day": 86_400}[piece.bucket]
        assert piece.since.timestamp() % step == 0
    assert timedelta(0) <= now - WINDOWS[window] - pieces[0].since < timedelta(hours=1)
    # What is told by minutes is remembered by minutes.
    assert all(now - piece.since < MINUTES_KEPT for piece in pieces if piece.bucket == "minute")


@pytest.mark.parametrize(
    ("noted", "begin", "now", "expected"),
    [
        # nothing was ever noted: nothing is known
        ([], "10:00", "12:00", (0, 0)),
        # it began within the window
        ([("11:58", "")], "10:00", "12:00", (2, 1)),
        # all are up; the minute of now is not over
        ([("11:00-11:59", "")], "11:00", "11:59", (59, 0)),
        # an hour without a row is down
        ([("09:00-09:59 11:00-11:59", "")], "09:00", "12:00", (180, 60)),
        # from the last note to now, too
        ([("09:00-09:09", "")], "09:00", "10:30", (90, 80)),
        # a gap that is older than the window's beginning says how long the suite is known
        ([("08:00", "")], "10:00", "10:10", (10, 10)),
        # maintenance does not count, up or down
        ([("10:00-10:09", "10:05-10:09")], "10:00", "10:10", (5, 0)),
        ([("10:00-10:09", "10:10-10:19")], "10:00", "10:30", (20, 10)),
        # a window that begins within an hour
        ([("10:00-10:29", "")], "10:15", "10:45", (30, 15)),
    ],
)
def test_minutes_are_down_that_nobody_noted(
    noted: list[tuple[str, str]], begin: str, now: str, expected: tuple[int, int]
) -> None:
    hours = {}
    for up, maintenance in noted:
        for hour in {each.hour for each in (*_minutes(up), *_minutes(maintenance))}:
            at = _at(f"{hour:02}:00")
            hours[at] = Hour(at, _bits(hour, up), _bits(hour, maintenance))
    assert minutes_of(hours, _at(begin), _at(now) + timedelta(seconds=40)) == Minutes(*expected)


def test_minutes_are_the_same_in_every_time_zone() -> None:
    east = timezone(timedelta(hours=5, minutes=45))
    hours = {_at("10:00").astimezone(east): Hour(_at("10:00").astimezone(east), "1" * 60, "0" * 60)}
    assert minutes_of(hours, _at("10:00").astimezone(east), _at("10:30").astimezone(east)) == Minutes(30, 0)


def test_a_duration_is_kept_by_the_part_that_is_within_it() -> None:
    kept = of("api.read.p95", {"http.read": took(*[0.1] * 95, *[0.3] * 5)})
    assert (kept.met, kept.burn_rate, kept.budget_left, kept.total, kept.bad) == (True, 1.0, 0.0, 100, 5)
    missed = of("api.read.p95", {"http.read": took(*[0.1] * 94, *[0.3] * 6), "http.write": took(9.0)})
    assert (missed.met, missed.burn_rate, missed.budget_left) == (False, 1.2, -0.2)
    assert missed.value == pytest.approx(0.3, rel=0.005)
    assert of("api.read.p95", {"http.read": took(0.3)}, slo_api_p95_ms=400.0).met


def test_errors_are_those_of_all_classes() -> None:
    sums = {"http.read": Sum(900, 1), "http.stream": Sum(100, 1), "queue.mail": Sum(5, 5)}
    assert of("api.errors", sums) == Standing(0.002, False, 2.0, -1.0, 1000, 2)


def test_uptime_is_a_part_of_the_minutes() -> None:
    kept = of("uptime", {}, Minutes(10_000, 10))
    assert (kept.value, kept.met, kept.burn_rate, kept.bad) == (0.999, True, 1.0, 10)
    assert of("uptime", {}, Minutes(1000, 2)).met is False


def test_an_amount_is_held_against_its_part_of_the_month() -> None:
    a_day = of("egress", {"egress": Sum(int(4e9 / 3))}, window="24h")
    assert (a_day.met, a_day.burn_rate, a_day.budget_left) == (True, 1.0, 0.0)
    assert of("egress", {"egress": Sum(int(41e9))}).met is False
    assert of("egress", {}).budget_left == 1.0


@pytest.mark.parametrize(
    ("spent", "forecast", "budget", "expected"),
    [
        (10.0, 30.0, None, Standing(30.0, True, 0.9375, 0.0625)),
        (10.0, 40.0, None, Standing(40.0, False, 1.25, -0.25)),
        (10.0, 40.0, 50.0, Standing(40.0, True, 0.8, 0.2)),
        # Too early to say, or too late already.
        (8.0, None, None, Standing(8.0, None, None, 0.75)),
        (40.0, None, None, Standing(40.0, False, None, -0.25)),
    ],
)
def test_a_cost_is_held_against_the_period(
    spent: float, forecast: float | None, budget: float | None, expected: Standing
) -> None:
    period = ThisPeriod(spent, forecast, budget, NOW, NOW - timedelta(days=9), NOW + timedelta(days=21))
    found = spending(period, 32.0)
    assert found.windows == {"1h": UNKNOWN, "24h": UNKNOWN, "30d": expected}
    assert found.target == (budget or 32.0)
    assert found.note is not None
    assert found.note.startswith(f"${spent:.2f} are spent of the billing period that ends 2026-12-20")
    assert set(spending(None, 32.0).windows.values()) == {UNKNOWN}


def test_of_nothing_nothing_is_said() -> None:
    for name in ("api.read.p95", "api.errors", "uptime", "queue.mail.p95", "webhooks.delivered"):
        assert of(name, {}) is UNKNOWN


def test_classes_and_queues_have_objectives_once_they_are_counted() -> None:
    names = [each.name for each in objectives(ObservabilitySettings(), SERIES)]
    assert names == [
        "api.read.p95", "api.read.p99", "api.sign_in.p95", "api.sign_in.p99", "api.errors", "uptime", "database.p95",
        "queue.mail.p95", "webhooks.delivered", "egress",
    ]  # fmt: skip
    assert all(map(is_promised, (*SERIES, "egress", "ended.webhooks.deliver")))
    assert not is_promised("ended.mail.send")


def burning(name: str, **rates: float) -> Mapping[str, float]:
    """What each alert is told of an objective that burns so in windows (`w1h`); the others do not burn."""
    standings = {
        window: Standing(1.0, False, rates.get(f"w{window}", 0.0), 0.0, 100, int(rates.get("bad", 50)))
        for window in WINDOWS
    }
    return {each.name.rpartition(".")[2]: each.value for each in samples_of([(known(name), standings)])}


def test_an_alert_is_about_the_slower_of_two_windows() -> None:
    assert burning("api.errors", w1h=20, w5m=15) == {"fast": 15}
    assert burning("api.errors", w1h=20) == {}  # it is over
    assert burning("api.errors", w5m=500) == {}  # it has just begun
    assert burning("api.errors", w6h=7, w30m=6.5, w3d=1.1) == {"slow": 6.5, "steady": 1.1}
    assert {rule.name: (rule.threshold, rule.level) for rule in RULES} == {
        "slo.burn.fast": (14.4, "critical"),
        "slo.burn.slow": (6.0, "critical"),
        "slo.burn.steady": (1.0, "warning"),
    }


def test_few_failures_are_no_alert() -> None:
    assert burning("api.errors", w1h=100, w5m=100, bad=9) == {}
    assert burning("api.errors", w1h=100, w5m=100, bad=10) == {"fast": 100}
    assert burning("uptime", w1h=100, w5m=100, bad=1) == {}
    assert burning("uptime", w1h=100, w5m=100, bad=2) == {"fast": 100}


def test_some_have_alerts_of_their_own_elsewhere() -> None:
    assert burning("egress", w1h=100, w5m=100) == {}
    assert burning("queue.mail.p95", w1h=100, w5m=100) == {}


def test_the_shown_windows_are_windows() -> None:
    assert set(SHOWN) <= set(WINDOWS)


def _at(clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return NOW.replace(hour=hour, minute=minute, second=0, microsecond=0)


def _minutes(spans: str) -> list[datetime]:
    found = []
    for span in spans.split():
        first, _, last = span.partition("-")
        at = _at(first)
        while at <= _at(last or first):
            found.append(at)
            at += timedelta(minutes=1)
    return found


def _bits(hour: int, spans: str) -> str:
    minutes = {each.minute for each in _minutes(spans) if each.hour == hour}
    return "".join("1" if minute in minutes else "0" for minute in range(60))
