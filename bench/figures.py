"""A figure: what was measured, beside what is asked for."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Unit = Literal["/s", "x", "ms", "s", "µs", "MB", "MB/s", "kB", "%"]
_DECIMALS: dict[Unit, int] = {"/s": 0, "x": 1, "ms": 1, "s": 2, "µs": 0, "MB": 0, "MB/s": 0, "kB": 0, "%": 1}


@dataclass(frozen=True)
class Figure:
    """Without `at_least` and `at_most` it has no target: it explains the others."""

    name: str
    value: float
    unit: Unit
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reached(self) -> bool | None:
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {_number(self.at_least, self.unit)}"
        return "" if self.at_most is None else f"≤ {_number(self.at_most, self.unit)}"

    @property
    def shown(self) -> str:
        return f"{self.value:,.{_DECIMALS[self.unit]}f} {self.unit}"

    def __str__(self) -> str:
        return line([self])


def line(columns: Sequence[Figure | None]) -> str:
    """Of the table: one figure of several versions; the target is held against the first."""
    known = next(each for each in columns if each is not None)
    values = "".join(f"{'-' if each is None else each.shown:>13}" for each in columns)
    reached = None if columns[0] is None else columns[0].reached
    verdict = {True: "reached", False: "SHORT", None: ""}[reached]
    return f"  {known.name:<62}{values}   {known.target:>10}  {verdict}".rstrip()


def medians(rounds: Sequence[Sequence[Figure]]) -> dict[str, Figure]:
    """Of what each round measured, by name; a round may have missed some."""
    found: dict[str, list[Figure]] = {}
    for figure in (figure for each in rounds for figure in each):
        found.setdefault(figure.name, []).append(figure)
    return {
        name: replace(same[0], value=statistics.median(each.value for each in same))
        for name, same in found.items()
    }


def latencies(
    name: str,
    seconds: Iterable[float],
    p99_at_most: float | None = None,
    p50_at_most: float | None = None,
) -> list[Figure]:
    """p50 and p99; targets are in milliseconds."""
    ordered = sorted(seconds)
    p50, p99 = (quantile(ordered, share) * 1000 for share in (0.5, 0.99))
    return [
        Figure(f"{name}, p50", p50, "ms", at_most=p50_at_most),
        Figure(f"{name}, p99", p99, "ms", at_most=p99_at_most),
    ]


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all are not above."""
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def _number(value: float, unit: Unit) -> str:
    return f"{value:,g} {unit}"
