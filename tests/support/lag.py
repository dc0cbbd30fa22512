"""How long events took from their publisher to their receiver."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.support.receivers.recording import Visit
from tests.support.steady_load import Published

# What may be added to a lag and still pass for the machine's: when nothing else runs on it, and beside other tests.
QUIET_SECONDS = 0.02
BUSY_SECONDS = 0.25


@dataclass(frozen=True)
class Lag:
    """In seconds."""

    count: int
    p50: float
    p95: float
    p99: float
    most: float

    def __str__(self) -> str:
        p50, p95, p99, most = (1000 * each for each in (self.p50, self.p95, self.p99, self.most))
        return f"{self.count} events, ms: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, most {most:.1f}"

    def is_no_worse_than(self, before: Lag, noise_seconds: float, share: float = 0.2) -> bool:
        """By the median and the 95th percentile."""
        return all(
            now <= max(then * (1 + share), then + noise_seconds)
            for now, then in ((self.p50, before.p50), (self.p95, before.p95))
        )


def first_attempt_lag(published: Sequence[Published], visits: Iterable[Visit]) -> Lag:
    """Of all that was published; AssertionError names what never arrived."""
    arrived: dict[str, float] = {}
    for visit in visits:
        arrived.setdefault(visit.id, visit.arrived)
    missing = [event.id for event in published if event.id not in arrived]
    assert not missing, f"{len(missing)} of {len(published)} events never arrived: {missing[:5]}"
    lags = sorted(arrived[event.id] - event.sent for event in published)
    return Lag(len(lags), percentile(lags, 50), percentile(lags, 95), percentile(lags, 99), lags[-1])


def percentile(sorted_values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed."""
    return sorted_values[max(0, math.ceil(len(sorted_values) * percent / 100) - 1)]
