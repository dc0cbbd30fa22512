"""The numbers and rules of the breaker: when it opens, how often it probes, when an owner is warned. No I/O."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

# This many failures in a row, without a sign of life between them, open the breaker.
FAILURES_TO_OPEN = 10
# While it is open, probes are a fixed time apart; in a long outage this fraction of its length…
PROBE_PART = 1 / 40
# …but no longer than this, so that a receiver that is back is noticed within five minutes.
MOST_PROBE_SECONDS = 300.0
# The owner is warned at these percentages of the time until the endpoint is disabled.
WARNINGS = (50, 70, 90)
# Fewer failures than this disable nothing, however far apart they are.
FAILURES_TO_DISABLE = 10


class Patience(Struct, frozen=True):
    """
    probe_seconds          from one probe to the next while a breaker is open.
    disable_after_seconds  the time of nothing but failures after which an endpoint is disabled.
    """

    probe_seconds: float
    disable_after_seconds: float


class Ailing(Struct, frozen=True):
    """A row of webhook_health."""

    webhook_id: str
    failing_since: datetime
    failures: int
    failures_in_row: int
    last_error: str
    opened_at: datetime | None
    warned: int


def opens(ailing: Ailing) -> bool:
    return ailing.opened_at is None and ailing.failures_in_row >= FAILURES_TO_OPEN


def probe_seconds(ailing: Ailing, patience: Patience, now: datetime) -> float:
    outage = (now - ailing.failing_since).total_seconds()
    return max(patience.probe_seconds, min(MOST_PROBE_SECONDS, outage * PROBE_PART))


def percent_to_disabling(ailing: Ailing, patience: Patience, now: datetime) -> float:
    if ailing.failures < FAILURES_TO_DISABLE:
        return 0.0
    return 100 * (now - ailing.failing_since).total_seconds() / patience.disable_after_seconds


def due_warning(ailing: Ailing, percent: float) -> int | None:
    """The highest warning that is due and not sent yet: after several were missed, only one is sent."""
    reached = [warning for warning in WARNINGS if ailing.warned < warning <= percent]
    return max(reached, default=None)
