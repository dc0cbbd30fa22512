"""Reading events for broadcasting, and the presence of listeners as publishers see it."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.kernel.event import Event
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.database.pieces import Piece
from ogel.runtime.jobs.made import jobs_made
from ogel.runtime.jobs.seen import JOBS
from ogel.runtime.outbox import EVENTS

_SQL = Queries.beside(__name__, events=EVENTS, jobs=JOBS)


async def events_of(tx: Transaction, ids: Sequence[str], seconds: float | None = None) -> dict[str, Event]:
    """Returns events by id, without those that were deleted, and those older than so many seconds, if that is given."""
    rows = await tx.tuples(_SQL.events_of, {"ids": list(ids), "seconds": seconds})
    return {id: Event(id, type, data.encode(), subject, at) for id, type, data, subject, at in rows}


async def unplaced(tx: Transaction, kind: str, jobs: Sequence[str], limit: int) -> list[str]:
    """Returns the ids of events of unfinished jobs up to the last of those, in the order in which they were written."""
    rows = await tx.tuples(_SQL.unplaced, {"kind": kind, "jobs": list(jobs), "limit": limit})
    return [id for (id,) in rows]


def announcing(
    event_ids: Sequence[str],
    job_ids: Sequence[str],
    events_per_job: int,
    kind: str,
    queue: str,
    max_attempts: int,
) -> Sequence[Piece]:
    """Returns the jobs for those of the events that are new, if any client listens."""
    parameters = {"announced": event_ids, "announcements": job_ids, "events_per_job": events_per_job}
    return jobs_made(_SQL.announcements, parameters, kind=kind, queue=queue, max_attempts=max_attempts)


async def say_listening(tx: Transaction, process: str, seconds: float) -> None:
    await tx.execute(_SQL.say_listening, {"process": process, "seconds": seconds})


async def say_gone(tx: Transaction, process: str) -> None:
    await tx.execute(_SQL.say_gone, {"process": process})


async def publishing(tx: Transaction) -> set[str]:
    """Returns the open transactions that have checked whether a client listens."""
    return {name for (name,) in await tx.tuples(_SQL.publishing)}
