"""Messages of one job each, sent through providers: what came of an attempt, as features write it into their tables.

The jobs' payload is `{"message": id}`, and the value of their outcomes a `Sent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ogel.kernel.clock import rfc3339
from ogel.kernel.ids import new_id
from ogel.runtime.delivery.providers import Try
from ogel.runtime.jobs.job import Finished

LOST = "its worker disappeared; whether it was sent is not known"


class Sent(Struct, frozen=True):
    """`tries`: the providers asked; `provider_id`: what the one that took it calls it."""

    tries: Sequence[Try] = ()
    provider_id: str | None = None


class AttemptRow(Struct, frozen=True):
    """
    One provider asked once; without an `error` it took the message. Without a `provider`, nothing is known but that a
    worker began.
    """

    id: str
    message_id: str
    provider: str | None
    started_at: str
    seconds: float | None
    error: str | None


class Settled(Struct, frozen=True, kw_only=True):
    """Where a message stands after an attempt: `sent`, `failed` or `queued`; `attempts` is how many rows that is."""

    id: str
    status: str
    attempts: int
    error: str | None
    provider: str | None
    provider_id: str | None
    next_attempt_at: datetime | None


def message_of(finished: Finished) -> str:
    id: str = finished.job.payload["message"]
    return id


def tries_of(finished: Finished) -> list[AttemptRow]:
    """Those made in this attempt; they are true even when it comes too late to decide anything."""
    sent: Sent | None = finished.outcome.value
    return [
        AttemptRow(
            new_id("att"), message_of(finished), each.provider, each.started_at, each.seconds, each.error
        )
        for each in (sent.tries if sent else ())
    ]


def attempts_of(finished: Finished) -> list[AttemptRow]:
    """Those lost before, of which nothing is known but when they were claimed, and those made."""
    lost = [
        AttemptRow(new_id("att"), message_of(finished), None, rfc3339(at), None, LOST)
        for at in finished.job.lost or ()
    ]
    return [*lost, *tries_of(finished)]


def settled_of(finished: Finished) -> Settled | None:
    """None: there was nothing left to do."""
    outcome = finished.outcome
    sent: Sent | None = outcome.value
    is_done = outcome.verdict == "done"
    if is_done and sent is None:
        return None
    tries = sent.tries if sent else ()
    return Settled(
        id=message_of(finished),
        status="sent" if is_done else "failed" if outcome.verdict == "dead" else "queued",
        attempts=len(tries) + len(finished.job.lost or ()),
        error=None if is_done else outcome.error,
        provider=tries[-1].provider if is_done and tries else None,
        provider_id=sent.provider_id if sent else None,
        next_attempt_at=finished.next_attempt_at,
    )
