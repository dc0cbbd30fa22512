"""
The generic cell rate algorithm: a budget is one number, the time at which it will be whole again.

Each request moves that time on by one interval. What fits between it and a window from now is left. Times are seconds
by a clock that never goes back; the script in adapters/redis_rates.py says the same with Redis' clock.
"""

from __future__ import annotations

from ogel.runtime.rates.policy import Policy

# Of one request, so that 3 x (10 / 3) fit into 10.
_FUZZ = 1e-6


def left_of(whole_at: float, now: float, policy: Policy) -> int:
    """How many requests may come now."""
    owed = max(0.0, whole_at - now)
    return max(0, int((policy.window_seconds - owed) / policy.interval_seconds + _FUZZ))


def spent(whole_at: float, now: float, policy: Policy, requests: int) -> float:
    """When the budget will be whole again after so many more."""
    return max(whole_at, now) + requests * policy.interval_seconds


def wait_seconds(whole_at: float, now: float, policy: Policy) -> float:
    """Until one more request may come than now."""
    owed = max(0.0, whole_at - now)
    to_come = (left_of(whole_at, now, policy) + 1) * policy.interval_seconds
    return max(0.0, owed + to_come - policy.window_seconds)
