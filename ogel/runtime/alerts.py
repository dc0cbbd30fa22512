"""Alerts as features declare them: sampled numbers, and rules that are checked against them once a minute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

Level = Literal["warning", "critical"]
# Where the pages are that say what to do; a test holds that each rule names one of them.
RUNBOOKS = "docs/runbooks"


class Sample(Struct, frozen=True):
    """A number sampled from one thing at one time."""

    name: str
    labels: dict[str, str]
    value: float


TakeSamples = Callable[[], Awaitable[Sequence[Sample]]]


class AlertRule(Struct, frozen=True):
    """
    sample   held against the threshold, by name, and by labels where some are named.
    runbook  the file in RUNBOOKS for whoever is woken by it.
    subject  the label that tells what it is of; empty: there is one.
    below    it is wrong to be below the threshold, not above it.
    """

    name: str
    level: Level
    threshold: float
    sample: str
    runbook: str
    labels: Mapping[str, str] = {}
    subject: str = ""
    below: bool = False

    @property
    def page(self) -> str:
        return f"{RUNBOOKS}/{self.runbook}"

    def is_over(self, value: float) -> bool:
        return value < self.threshold if self.below else value > self.threshold
