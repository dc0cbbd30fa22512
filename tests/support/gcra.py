"""The generic cell rate algorithm as a book has it, in exact numbers: what ours must agree with."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from ogel.runtime.rates.policy import Policy


@dataclass
class Model:
    """One caller's requests under several policies; a request is charged to all of them or to none."""

    policies: list[Policy]
    arrivals: list[Fraction] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Theoretical arrival times: when the next request would come if all came evenly.
        self.arrivals = [Fraction(0) for _ in self.policies]

    def take(self, now: Fraction, wanted: int = 1) -> int:
        """How many of them pass."""
        passed = 0
        while passed < wanted and all(self._conforms(i, now) for i in range(len(self.policies))):
            for i, policy in enumerate(self.policies):
                self.arrivals[i] = max(self.arrivals[i], now) + _interval(policy)
            passed += 1
        return passed

    def _conforms(self, i: int, now: Fraction) -> bool:
        policy = self.policies[i]
        tolerance = policy.window_seconds - _interval(policy)
        return now >= self.arrivals[i] - tolerance


def _interval(policy: Policy) -> Fraction:
    return Fraction(policy.quota.seconds, policy.quota.requests)
