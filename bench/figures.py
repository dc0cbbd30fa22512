"""A figure: what was measured, beside what design §9 asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["/s", "x", "ms", "s", "µs", "MB", "kB"]
_DECIMALS: dict[Unit, int] = {"/s": 0, "x": 1, "ms": 1, "s": 2, "µs": 0, "MB": 0, "kB": 0}


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

    def __str__(self) -> str:
        verdict = {True: "reached", False: "SHORT", None: ""}[self.reached]
        value = f"{self.value:,.{_DECIMALS[self.unit]}f} {self.unit}"
        return f"  {self.name:<62}{value:>13}   {self.target:>10}  {verdict}".rstrip()


def latencies(name: str, seconds: Iterable[float], p99_at_most: float | None = None) -> list[Figure]:
    """p50 and p99; the target is in milliseconds."""
    ordered = sorted(seconds)
    p50, p99 = (quantile(ordered, share) * 1000 for share in (0.5, 0.99))
    return [Figure(f"{name}, p50", p50, "ms"), Figure(f"{name}, p99", p99, "ms", at_most=p99_at_most)]


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all are not above."""
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def _number(value: float, unit: Unit) -> str:
    return f"{value:,g} {unit}"
