"""What counts as wrong, and what a check makes of the one before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from msgspec import Struct

from ogel.features.stats.resources.sample import Sample

Level = Literal["warning", "critical"]
# One odd number raises nothing, and one good one clears nothing.
STREAK = 2


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Shares are parts of a whole, 0 to 1."""

    queue_seconds: float
    dead_jobs: int
    open_breakers: int
    disk_free_share: float
    connections_share: float
    cache_hit_share: float
    memory_bytes: int
    redis_memory_share: float


@dataclass(frozen=True, slots=True)
class Rule:
    """
    sample   held against the threshold, by name, and by labels where some are named.
    subject  the label that tells what it is of; empty: there is one.
    below    it is wrong to be below the threshold, not above it.
    """

    name: str
    level: Level
    threshold: float
    sample: str
    labels: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""
    below: bool = False

    def is_over(self, value: float) -> bool:
        return value < self.threshold if self.below else value > self.threshold


class Finding(Struct, frozen=True):
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


def rules_of(thresholds: Thresholds) -> Sequence[Rule]:
    t = thresholds
    return [
        Rule("queue.stuck", "critical", t.queue_seconds, "queue.stuck_seconds", subject="queue"),
        Rule("jobs.dead", "warning", t.dead_jobs, "queue.jobs", {"status": "dead"}, subject="queue"),
        Rule("webhooks.breakers", "warning", t.open_breakers, "webhooks.breakers", {"state": "open"}),
        Rule("disk.free", "critical", t.disk_free_share, "disk.free_share", below=True),
        # Not a setting: it does or it does not.
        Rule("database.writes", "critical", 1.0, "database.takes_writes", below=True),
        Rule("database.connections", "critical", t.connections_share, "database.connections_share"),
        Rule("database.cache", "warning", t.cache_hit_share, "database.cache_hit_share", below=True),
        Rule("process.memory", "warning", t.memory_bytes, "process.memory_bytes", subject="process"),
        Rule("redis.memory", "critical", t.redis_memory_share, "redis.memory_share"),
    ]


def findings(rules: Sequence[Rule], samples: Sequence[Sample]) -> list[Finding]:
    """None of what there was no sample of."""
    return [
        Finding(
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


def next_state(before: Alert | None, found: Finding, now: datetime, tick: str) -> Alert:
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


def gone(alert: Alert) -> Finding:
    """What is no more is not over anything."""
    return Finding(alert.name, alert.subject, alert.level, alert.value, alert.threshold, is_over=False)
