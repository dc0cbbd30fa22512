"""Clocks: leases, schedules, tokens and signatures need servers that agree on the time."""

from __future__ import annotations

from collections.abc import Iterator

from ogel.cli.doctor.finding import Finding, ill

_MOST_SECONDS = 5.0


def clock(whose: str, at: float, asked_at: float, answered_at: float) -> Iterator[Finding]:
    """Epoch seconds: theirs, and ours before and after they were asked."""
    apart = max(asked_at - at, at - answered_at)
    if apart > _MOST_SECONDS:
        sooner = "behind" if at < asked_at else "ahead of"
        yield ill("clock", f"{whose}'s clock is {apart:,.0f} s {sooner} this machine's", "set both by NTP")
