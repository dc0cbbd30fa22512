"""
The generic cell rate algorithm: a budget is one number, the time at which it will be whole again.

Each request moves that time on by one interval. What fits between it and a window from now is left. All are seconds, by
a clock that never goes back; the script in adapters/redis_rates.py says the same with Redis' clock.
"""

from __future__ import annotations

# Of one request, so that 3 x (10 / 3) fit into 10.
_FUZZ = 1e-6


def left_of(whole_at: float, now: float, window: float, interval: float) -> int:
    """How many requests may come now."""
    owed = whole_at - now
    if owed <= 0.0:
        return int(window / interval + _FUZZ)
    return int((window - owed) / interval + _FUZZ) if owed < window else 0


def spent(whole_at: float, now: float, interval: float) -> float:
    """When the budget will be whole again after one more."""
    return (whole_at if whole_at > now else now) + interval


def wait_seconds(whole_at: float, now: float, window: float, interval: float) -> float:
    """Until one more request may come than now."""
    owed = max(0.0, whole_at - now)
    to_come = (left_of(whole_at, now, window, interval) + 1) * interval
    return max(0.0, owed + to_come - window)
