"""The job_queue table: enqueueing inside anyone's transaction, and what a runner asks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from ogel.kernel.ids import new_id
from ogel.runtime.database import Database, Queries, Session, records
from ogel.runtime.jobs.job import RETRY, Finished, Job, NewJob
from ogel.runtime.jobs.kind import JobKind

_SQL = Queries.beside(__name__)


class JobQueue:
    """Writes jobs into the caller's transaction and rings their queues when it commits."""

    def __init__(self) -> None:
        self._kinds: dict[str, JobKind] = {}

    def know(self, kinds: Sequence[JobKind]) -> None:
        """Called once, by the composition root, before anything is enqueued. ValueError: two kinds of one name."""
        for kind in kinds:
            if kind.name in self._kinds:
                raise ValueError(f"two job kinds are called {kind.name!r}")
            self._kinds[kind.name] = kind

    async def enqueue(self, tx: Session, jobs: Sequence[NewJob]) -> list[str]:
        """Ids of the jobs written: those whose dedupe key (or id) already waits are left out."""
        if not jobs:
            return []
        written = await tx.tuples(_SQL.enqueue, {"rows": records([self._row(job) for job in jobs])})
        for _, queue in written:
            tx.ring(queue)
        return [id for id, _ in written]

    def _row(self, job: NewJob) -> dict[str, Any]:
        kind = self._kinds[job.kind]
        return {
            "id": job.id,
            "queue_name": kind.queue,
            "kind": kind.name,
            "payload": job.payload,
            "status": "held" if job.held else "pending",
            "lane": job.lane,
            "key": job.key,
            "key_limit": job.key_limit,
            "max_attempts": kind.max_attempts,
            "scheduled_at": job.scheduled_at,
            "dedupe_key": job.dedupe_key,
        }

    async def hold_key(self, tx: Session, key: str) -> None:
        await tx.execute(_SQL.hold_key, {"key": key})

    async def release_key(self, tx: Session, key: str) -> None:
        for (queue,) in await tx.tuples(_SQL.release_key, {"key": key}):
            tx.ring(queue)

    async def set_key_limit(self, tx: Session, key: str, key_limit: int) -> None:
        await tx.execute(_SQL.set_key_limit, {"key": key, "key_limit": key_limit})

    async def discard_key(self, tx: Session, key: str) -> None:
        await tx.execute(_SQL.discard_key, {"key": key})

    async def revive(self, tx: Session, job_id: str) -> bool:
        """Tells the job's kind. False when there is no such job, or it is running."""
        revived = await tx.tuples(_SQL.revive, {"id": job_id})
        for queue, name, payload in revived:
            tx.ring(queue)
            kind = self._kinds.get(name)
            if kind is not None and kind.revived is not None:
                await kind.revived(tx, payload)
        return bool(revived)

    async def discard(self, tx: Session, job_id: str) -> bool:
        """Tells the job's kind. False when there is no such job, or it is running."""
        dropped = await tx.tuples(_SQL.discard, {"id": job_id})
        for name, payload in dropped:
            kind = self._kinds.get(name)  # none: of a version before or after this one
            if kind is not None and kind.discarded is not None:
                await kind.discarded(tx, payload)
        return bool(dropped)


class _Done(msgspec.Struct, frozen=True):
    id: str
    lease_id: str


class _Returned(msgspec.Struct, frozen=True):
    """A row of `give_back`."""

    id: str
    lease_id: str
    status: str
    scheduled_at: datetime | None
    lane: int
    refund: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """
    limits     the in-flight limit of each key met.
    saw_all    nothing more was due when this was claimed.
    left_some  something due was not taken, for the batch's size or its key's limit.
    """

    jobs: Sequence[Job]
    limits: Mapping[str, int]
    saw_all: bool
    left_some: bool


class LeaseStore:
    """What one runner does to one queue: claim, renew, write results."""

    def __init__(self, database: Database, queue: str, lease_seconds: float) -> None:
        self._database = database
        self._queue = queue
        self._lease_seconds = lease_seconds

    async def claim(
        self, limit: int, busy: Mapping[str, int], full_keys: Sequence[str], not_ids: Sequence[str] = ()
    ) -> Claim:
        """Neither jobs of `full_keys` nor those of `not_ids`."""
        parameters = {
            "queue": self._queue,
            "limit": limit,
            "full_keys": list(full_keys),
            "not_ids": list(not_ids),
            "busy_keys": list(busy),
            "busy_counts": list(busy.values()),
            "lease": new_id("lease"),
            "lease_seconds": self._lease_seconds,
        }
        async with self._database.session() as session:
            rows = await session.tuples(_SQL.claim, parameters)
        jobs = sorted((Job(*row[:10]) for row in rows), key=lambda job: (job.lane, job.scheduled_at))
        limits = {row[4]: row[10] for row in rows if row[4] is not None}
        seen = rows[0][11] if rows else 0
        # No row at all may mean that every candidate's key was full, which only a busy key can be.
        left_some = seen >= limit or seen > len(jobs) or bool(busy and not rows)
        return Claim(jobs, limits, saw_all=seen < limit, left_some=left_some)

    async def seconds_to_next(self) -> float | None:
        async with self._database.session() as session:
            seconds: float | None = await session.value(_SQL.seconds_to_next, {"queue": self._queue})
        return seconds

    async def renew(self, jobs: Sequence[Job]) -> None:
        leases = list({job.lease_id for job in jobs})
        parameters = {"ids": [job.id for job in jobs], "leases": leases, "lease_seconds": self._lease_seconds}
        async with self._database.session() as session:
            await session.execute(_SQL.renew, parameters)

    async def release(self, jobs: Sequence[Job]) -> None:
        """Unfinished jobs of a worker that stops: due at once, this attempt not counted."""
        rows = [_Returned(job.id, job.lease_id, "pending", None, job.lane, 1, None) for job in jobs]
        async with self._database.session() as session:
            await session.execute(_SQL.give_back, {"rows": records(rows)})

    async def write(self, results: Sequence[Finished], kinds: Mapping[str, JobKind]) -> int:
        """All together, or none. Returns how many results came too late: their job had a new owner."""
        recording = [kind for kind in kinds.values() if kind.record is not None]
        if not recording:
            # Nothing else to write: each statement is a whole by itself.
            async with self._database.session() as session:
                return len(results) - len(await self._end(session, results))
        async with self._database.transaction() as tx:
            owned = await self._end(tx, results)
            for kind in recording:
                mine = [f for f in results if f.job.kind == kind.name and f.job.id in owned]
                if mine and kind.record is not None:
                    await kind.record(tx, mine)
        return len(results) - len(owned)

    async def _end(self, session: Session, results: Sequence[Finished]) -> set[str]:
        """Ids of the jobs that were still ours."""
        done = [_Done(f.job.id, f.job.lease_id) for f in results if f.outcome.verdict == "done"]
        others = [_returned(f) for f in results if f.outcome.verdict != "done"]
        owned: set[str] = set()
        for query, rows in ((_SQL.finish, done), (_SQL.give_back, others)):
            if rows:
                owned.update(id for (id,) in await session.tuples(query, {"rows": records(rows)}))
        return owned


def _returned(finished: Finished) -> _Returned:
    job, outcome = finished.job, finished.outcome
    status = "dead" if outcome.verdict == "dead" else "pending"
    refund = 1 if outcome.verdict == "postpone" else 0
    lane = max(job.lane, RETRY) if outcome.verdict == "retry" else job.lane
    return _Returned(job.id, job.lease_id, status, finished.next_attempt_at, lane, refund, outcome.error)
