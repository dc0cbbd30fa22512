"""Interprets one attempt: whether it delivered, whose fault a failure is, and what to do next."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from ogel.runtime.delivery.retry_after import retry_after_seconds
from ogel.runtime.egress import EgressError, Exchange

# RFC 9110: 429 (RFC 6585 §4) and 503 ask for less; 502 and 504 say that somebody behind cannot keep up.
_SLOW_DOWN = (429, 502, 503, 504)
_GONE = 410
# Without Retry-After, an endpoint that asks for less is left alone this long.
SLOW_SECONDS = 1.0
# An endpoint that asks for more than this is tried again anyway; a delivery waits for its own.
MOST_SLOW_SECONDS = 3600.0

Life = Literal["up", "alive", "down"]


class AttemptVerdict(Struct, frozen=True):
    """
    life         up: delivered; alive: it refused, but it was there; down: no answer, or one of a server in trouble.
    reason       of a failure, for the log: `status`, `redirect`, `timeout`, …
    ours         the fault was ours: it costs the receiver nothing.
    final        no use in trying again.
    slow         it cannot keep up.
    gone         it wants no more events at all.
    retry_after  seconds it asked to be left alone.
    """

    life: Life
    reason: str | None = None
    detail: str | None = None
    ours: bool = False
    final: bool = False
    slow: bool = False
    gone: bool = False
    retry_after: float = 0.0

    @property
    def slow_seconds(self) -> float:
        """How long to leave the whole endpoint alone, not only this delivery."""
        return min(MOST_SLOW_SECONDS, max(SLOW_SECONDS, self.retry_after)) if self.slow else 0.0


DELIVERED = AttemptVerdict("up")


def judge_answer(exchange: Exchange, now: datetime) -> AttemptVerdict:
    status = exchange.status
    if 200 <= status < 300:
        return DELIVERED
    redirect = 300 <= status < 400
    return AttemptVerdict(
        "down" if status >= 500 or status == 429 else "alive",
        "redirect" if redirect else "status",
        f"the receiver answered {status}" + (", and redirects are not followed" if redirect else ""),
        final=status == _GONE,
        slow=status in _SLOW_DOWN,
        gone=status == _GONE,
        retry_after=retry_after_seconds(exchange, now) or 0.0,
    )


def judge_error(error: EgressError) -> AttemptVerdict:
    refused = error.reason == "refused_address"
    return AttemptVerdict(
        "alive" if refused else "down",
        error.reason,
        error.message,
        ours=error.ours,
        final=refused,
        slow=error.reason == "timeout",
    )
