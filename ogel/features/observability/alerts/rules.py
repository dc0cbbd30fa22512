"""What counts as wrong, and what a check makes of the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ogel.runtime.alerts import AlertRule, Level, Sample

# One odd number raises nothing, and one good one clears nothing.
STREAK = 2


class AlertFinding(Struct, frozen=True):
    """What one check found of one rule and subject."""

    name: str
    subject: str
    level: Level
    value: float
    threshold: float
    is_over: bool


class Alert(Struct, frozen=True):
    """
    raised   after STREAK checks in a row that found it over, until as many did not.
    is_over  what the last check found.
    since    raised: the first check that found it over; otherwise the first after which that was no longer so.
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
    """None of what there was no sample of."""
    return [
        AlertFinding(
            rule.name,
            sample.labels.get(rule.subject, ""),
            rule.level,
            sample.value,
            rule.threshold,
            rule.is_over(sample.value),
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


def gone(alert: Alert) -> AlertFinding:
    """What is no more is not over anything."""
    return AlertFinding(alert.name, alert.subject, alert.level, alert.value, alert.threshold, is_over=False)
