"""Evaluates alert rules, and updates the alerts of the check before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ogel.runtime.alerts import AlertRule, Level, Sample

# A single outlier neither raises nor clears an alert.
STREAK = 2


class AlertFinding(Struct, frozen=True):
    """What one check found for one rule and subject; without a runbook when the rule belongs to another version."""

    name: str
    subject: str
    level: Level
    value: float
    threshold: float
    is_over: bool
    runbook: str | None = None


class Alert(Struct, frozen=True):
    """
    raised   after STREAK checks in a row that were over the limit, until as many were not.
    is_over  the result of the last check.
    since    raised: the first check over the limit; otherwise the first check after that which was not.
    """

    name: str
    subject: str
    level: Level
    raised: bool
    is_over: bool
    streak: int
    since: datetime
    value: float
    threshold: float
    checked_by: str


def findings(rules: Sequence[AlertRule], samples: Sequence[Sample]) -> list[AlertFinding]:
    """Rules without a sample have no finding."""
    return [
        AlertFinding(
            rule.name,
            sample.labels.get(rule.subject, ""),
            rule.level,
            sample.value,
            rule.threshold,
            rule.is_over(sample.value),
            rule.page,
        )
        for rule in rules
        for sample in samples
        if sample.name == rule.sample and rule.labels.items() <= sample.labels.items()
    ]


def next_state(before: Alert | None, found: AlertFinding, now: datetime, tick: str) -> Alert:
    same = before is not None and before.is_over == found.is_over
    streak = before.streak + 1 if before and same else 1
    was_raised = before is not None and before.raised
    raised = found.is_over if streak >= STREAK else was_raised
    goes_on = raised if was_raised else same
    return Alert(
        found.name,
        found.subject,
        found.level,
        raised=raised,
        is_over=found.is_over,
        streak=streak,
        since=before.since if before and goes_on else now,
        value=found.value,
        threshold=found.threshold,
        checked_by=tick,
    )


def gone(alert: Alert, runbook: str | None = None) -> AlertFinding:
    """A subject that no longer exists is not over any limit."""
    return AlertFinding(
        alert.name, alert.subject, alert.level, alert.value, alert.threshold, is_over=False, runbook=runbook
    )
