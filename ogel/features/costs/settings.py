"""The settings of costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ogel.knobs import Section, Takes, choice, knob, path, real

PLANS = ("free", "hobby", "pro")


def _percents(value: str) -> tuple[int, ...]:
    words = [word.strip() for word in value.split(",") if word.strip()]
    if not 1 <= len(words) <= 10 or not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError
    percents = tuple(sorted({int(word) for word in words}))
    if not all(1 <= each <= 1000 for each in percents):
        raise ValueError
    return percents


@dataclass(frozen=True, slots=True)
class CostsSettings(Section):
    budget: float | None = knob(
        "OGEL_COST_BUDGET",
        takes=real(0.01, 1_000_000, "dollars"),
        default=None,
        meaning="What the project on Railway may cost in a billing period.",
    )
    thresholds: tuple[int, ...] = knob(
        "OGEL_COST_THRESHOLDS",
        takes=Takes("1 to 10 parts of the budget in percent, comma separated", _percents),
        default=(50, 75, 90, 100),
        meaning="Alert when more than so much of OGEL_COST_BUDGET is spent.",
    )
    plan: str | None = knob(
        "OGEL_COST_PLAN",
        takes=choice(*PLANS),
        default=None,
        meaning="Railway's plan that the project is billed by, whose fee includes some usage.",
    )
    prices: Path | None = knob(
        "OGEL_COST_PRICES",
        takes=path("a JSON file"),
        default=None,
        meaning="Prices that differ from Railway's list, in the form that docs/cost.md shows.",
    )
    kept_days: float = knob(
        "OGEL_COST_DAYS",
        takes=real(31, 36_500, "days"),
        default=1096.0,
        meaning="What billing periods have cost that ended before is deleted.",
    )
