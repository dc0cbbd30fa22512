"""Events, read for broadcasting; and who listens to them, as every publisher sees it."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.kernel.event import Event
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.database.pieces import Piece
from ogel.runtime.jobs.made import jobs_made
from ogel.runtime.outbox import EVENTS

_SQL = Queries.beside(__name__, events=EVENTS)


async def recent_events(tx: Transaction, ids: Sequence[str], seconds: float) -> dict[str, Event]:
    """By id. Left out: those older than that many seconds, and those that are gone."""
    rows = await tx.tuples(_SQL.recent_events, {"ids": list(ids), "seconds": seconds})
    return {id: Event(id, type, data.encode(), subject, at) for id, type, data, subject, at in rows}


def announcing(
    event_ids: Sequence[str],
    job_ids: Sequence[str],
    events_per_job: int,
    kind: str,
    queue: str,
    max_attempts: int,
) -> Sequence[Piece]:
    """Jobs about those of the events that are new, if anybody listens."""
    parameters = {"announced": event_ids, "announcements": job_ids, "events_per_job": events_per_job}
    return jobs_made(_SQL.announcements, parameters, kind=kind, queue=queue, max_attempts=max_attempts)


async def say_listening(tx: Transaction, process: str, seconds: float) -> None:
    await tx.execute(_SQL.say_listening, {"process": process, "seconds": seconds})


async def say_gone(tx: Transaction, process: str) -> None:
    await tx.execute(_SQL.say_gone, {"process": process})


async def publishing(tx: Transaction) -> set[str]:
    """Transactions that have asked whether somebody listens, and go by the answer."""
    return {name for (name,) in await tx.tuples(_SQL.publishing)}
