"""Alerts: raised by two checks in a row, cleared by two, and told of once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ogel.features.observability.alerts.rules import Alert, AlertFinding, findings, next_state
from ogel.runtime.alerts import AlertRule, Sample

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def checked(overs: str) -> list[Alert]:
    """The state after each check: `x` found it over, `.` did not."""
    states: list[Alert] = []
    for minute, over in enumerate(overs):
        found = AlertFinding("disk.free", "", "critical", 0.05, 0.1, is_over=over == "x")
        now = BEGIN + timedelta(minutes=minute)
        states.append(next_state(states[-1] if states else None, found, now, str(minute)))
    return states


@pytest.mark.parametrize(
    ("overs", "raised"),
    [
        ("x", "."),
        ("xx", ".x"),
        ("x.x.x.", "......"),
        ("xx.x.x", ".xxxxx"),
        ("xx..", ".xx."),
        ("..xx..xx", "...xx..x"),
    ],
)
def test_one_odd_check_changes_nothing(overs: str, raised: str) -> None:
    assert "".join("x" if state.raised else "." for state in checked(overs)) == raised


def test_it_says_since_when() -> None:
    minutes = [(state.since - BEGIN) // timedelta(minutes=1) for state in checked("..xx.x..")]
    # Seen well at 0; over from 2 on, whatever 4 said; well again at 7, the second of two.
    assert minutes == [0, 0, 2, 2, 2, 2, 2, 7]


def test_a_rule_holds_for_its_own_samples() -> None:
    rules = [
        AlertRule(
            "jobs.dead", "warning", 10, "queue.jobs", "dead-jobs.md", {"status": "dead"}, subject="queue"
        ),
        AlertRule("disk.free", "critical", 0.1, "disk.free_share", "disk-full.md", below=True),
    ]
    samples = [
        Sample("queue.jobs", {"queue": "a", "status": "dead"}, 11),
        Sample("queue.jobs", {"queue": "b", "status": "dead"}, 10),
        Sample("queue.jobs", {"queue": "b", "status": "held"}, 99),
        Sample("disk.free_share", {}, 0.09),
        Sample("disk.free_bytes", {}, 1),
    ]
    found = [(each.name, each.subject, each.is_over) for each in findings(rules, samples)]
    assert found == [("jobs.dead", "a", True), ("jobs.dead", "b", False), ("disk.free", "", True)]
