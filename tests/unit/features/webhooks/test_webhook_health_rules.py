"""When breakers open, probes go out, owners are warned and endpoints disabled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ogel.features.webhooks.health.rules import (
    FAILURES_TO_DISABLE,
    FAILURES_TO_OPEN,
    MOST_PROBE_SECONDS,
    Ailing,
    Patience,
    due_warning,
    opens,
    percent_to_disabling,
    probe_seconds,
)
from ogel.features.webhooks.health.watch import Sign, failures_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = 86400.0
PATIENCE = Patience(probe_seconds=15, disable_after_seconds=5 * DAY)


def ailing(
    seconds: float, *, in_row: int = 20, failures: int = 20, warned: int = 0, open: bool = False
) -> Ailing:
    return Ailing(
        "wh_1", NOW - timedelta(seconds=seconds), failures, in_row, "timeout", NOW if open else None, warned
    )


def test_a_breaker_opens_after_so_many_failures_in_a_row_and_once() -> None:
    assert not opens(ailing(1, in_row=FAILURES_TO_OPEN - 1))
    assert opens(ailing(1, in_row=FAILURES_TO_OPEN))
    assert not opens(ailing(1, in_row=FAILURES_TO_OPEN, open=True))


@pytest.mark.parametrize(
    ("outage", "seconds"), [(0, 15), (600, 15), (3600, 90), (12_000, 300), (4 * DAY, MOST_PROBE_SECONDS)]
)
def test_probes_are_a_fortieth_of_the_outage_apart(outage: float, seconds: float) -> None:
    assert probe_seconds(ailing(outage), PATIENCE, NOW) == seconds


def test_the_interval_that_was_set_is_never_undercut() -> None:
    assert probe_seconds(ailing(4 * DAY), Patience(600, 5 * DAY), NOW) == 600


@pytest.mark.parametrize(
    ("days", "warned", "due"),
    [
        (2.4, 0, None),
        (2.5, 0, 50),
        (2.6, 50, None),
        (3.5, 50, 70),
        (4.6, 0, 90),
        (4.6, 70, 90),
        (4.9, 90, None),
    ],
)
def test_warnings_are_given_once_each_and_a_late_one_alone(days: float, warned: int, due: int | None) -> None:
    row = ailing(days * DAY, warned=warned)
    assert due_warning(row, percent_to_disabling(row, PATIENCE, NOW)) == due


def test_days_of_silence_between_few_failures_disable_nothing() -> None:
    row = ailing(30 * DAY, failures=FAILURES_TO_DISABLE - 1)
    assert percent_to_disabling(row, PATIENCE, NOW) == 0
    assert percent_to_disabling(ailing(5 * DAY), PATIENCE, NOW) == 100


def test_failures_are_counted_after_the_last_sign_of_life() -> None:
    down = Sign("a", "down", False, "timeout")
    [counted] = failures_of([down, down, Sign("a", "alive", False, "status"), down])
    assert (counted.failures, counted.in_row, counted.alive, counted.error) == (4, 1, True, "timeout")


def test_a_success_undoes_the_failures_before_it_and_only_those() -> None:
    down, up = Sign("a", "down", False, "timeout"), Sign("a", "up", True)
    assert failures_of([down, down, up]) == []
    [counted] = failures_of([down, up, down])
    assert (counted.failures, counted.in_row) == (1, 1)


def test_endpoints_are_counted_apart_and_in_the_order_of_their_ids() -> None:
    signs = [Sign(id, "down", False, "dns") for id in ("b", "a", "b")]
    assert [(each.webhook_id, each.failures) for each in failures_of(signs)] == [("a", 1), ("b", 2)]
