"""
The generic cell rate algorithm (GCRA): a budget is one number, the time at which it is full again.

Each request moves that time on by one interval. The budget left is what fits between it and the end of a window that
starts now. All times are seconds of a clock that never goes back; the script in adapters/redis/rates.py does the same
with Redis' clock.
"""

from __future__ import annotations

# Tolerance, in parts of one request, so that 3 x (10 / 3) fit into 10.
_FUZZ = 1e-6


def left_of(whole_at: float, now: float, window: float, interval: float) -> int:
    """Returns how many requests are allowed now."""
    owed = whole_at - now
    if owed <= 0.0:
        return int(window / interval + _FUZZ)
    return int((window - owed) / interval + _FUZZ) if owed < window else 0


def spent(whole_at: float, now: float, interval: float) -> float:
    """Returns when the budget will be full again after one more request."""
    return (whole_at if whole_at > now else now) + interval


def wait_seconds(whole_at: float, now: float, window: float, interval: float) -> float:
    """Returns the seconds until one more request is allowed than now."""
    owed = max(0.0, whole_at - now)
    to_come = (left_of(whole_at, now, window, interval) + 1) * interval
    return max(0.0, owed + to_come - window)
