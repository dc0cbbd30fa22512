"""
Alerts about budgets that burn too fast. Each looks at a long window, so that a moment says little, and at a short one,
so that it ends soon after what caused it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ogel.features.observability.slo.objectives import Objective
from ogel.features.observability.slo.standings import Standing
from ogel.runtime.alerts import AlertRule, Level, Sample


class Burn(Struct, frozen=True):
    """At this rate or more, over both windows."""

    name: str
    level: Level
    rate: float
    long: str
    short: str


# The rates that Google's workbook of site reliability gives for a budget of 30 days: it is spent in two days, in five,
# or just when it must not be yet. The shortest windows are five checks long.
BURNS = (
    Burn("slo.burn.fast", "critical", 14.4, "1h", "5m"),
    Burn("slo.burn.slow", "critical", 6.0, "6h", "30m"),
    Burn("slo.burn.steady", "warning", 1.0, "3d", "6h"),
)
RULES = [
    AlertRule(each.name, each.level, each.rate, each.name, "slo-burn.md", subject="objective")
    for each in BURNS
]
# Of less nobody is told: one failure among few requests is a large part of them.
LEAST_BAD = 10
LEAST_MINUTES = 2


def samples_of(found: Iterable[tuple[Objective, Mapping[str, Standing]]]) -> Sequence[Sample]:
    """Budgets that burn at all; the value is the lesser rate of both windows."""
    samples = []
    for objective, standings in found:
        if not objective.alerts:
            continue
        least = LEAST_MINUTES if objective.measure == "uptime" else LEAST_BAD
        for burn in BURNS:
            rate = min(standings[burn.long].burn_rate or 0.0, standings[burn.short].burn_rate or 0.0)
            if rate and standings[burn.long].bad >= least:
                samples.append(Sample(burn.name, {"objective": objective.name}, rate))
    return samples
