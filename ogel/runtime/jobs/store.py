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
from ogel.runtime.jobs.shares import UNDIVIDED, Division

_SQL = Queries.beside(__name__)

# In flight at once, of a key nobody has set a limit for.
DEFAULT_KEY_LIMIT = 64
CLAIM = _SQL.claim
# Keys, and orders of ordered keys, that one claim looks at; the next goes on from there.
MOST_STEPS = 500
# A key that another worker was claiming of is looked at again after this.
CONTENDED_SECONDS = 0.02


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
            "lane": job.lane,
            "key": job.key,
            "order_key": job.order_key,
            "max_attempts": kind.max_attempts,
            "scheduled_at": job.scheduled_at,
            "dedupe_key": job.dedupe_key,
        }

    async def count_unfinished(self, session: Session, queue: str, key: str, most: int) -> int:
        """Jobs of a key that wait, for whatever it may be, or run; counted up to `most`."""
        count: int = await session.value(_SQL.count_unfinished, {"queue": queue, "key": key, "most": most})
        return count

    async def count_due(self, session: Session, queue: str, key: str, most: int) -> int:
        """Those among them that nothing but a worker is missing to; counted up to `most`."""
        count: int = await session.value(_SQL.count_due, {"queue": queue, "key": key, "most": most})
        return count

    async def drop_dead(self, tx: Session, ids: Sequence[str]) -> None:
        """Dead jobs make room for successors of the same ids; their kinds are not told."""
        await tx.execute(_SQL.drop_dead, {"ids": list(ids)})

    async def discard_of_key(self, tx: Session, queue: str, key: str, limit: int) -> int:
        """Up to about `limit` jobs of a key that are not running; tells their kinds. Returns how many."""
        parameters = {"queue": queue, "key": key, "limit": limit}
        return await self._tell_discarded(tx, await tx.tuples(_SQL.discard_of_key, parameters))

    async def revive(self, tx: Session, job_id: str) -> bool:
        """Tells the job's kind. False when there is no such job, or it is running."""
        revived = await tx.tuples(_SQL.revive, {"id": job_id})
        for queue, name, payload in revived:
            tx.ring(queue)
            kind = self._kinds.get(name)
            if kind is not None and kind.revived is not None:
                await kind.revived(tx, [payload])
        return bool(revived)

    async def discard(self, tx: Session, job_id: str) -> bool:
        """Tells the job's kind. False when there is no such job, or it is running."""
        return await self._tell_discarded(tx, await tx.tuples(_SQL.discard, {"id": job_id})) > 0

    async def _tell_discarded(self, tx: Session, dropped: Sequence[tuple[str, Any]]) -> int:
        payloads: dict[str, list[Any]] = {}
        for name, payload in dropped:
            payloads.setdefault(name, []).append(payload)
        for name, mine in payloads.items():
            kind = self._kinds.get(name)  # none: of a version before or after this one
            if kind is not None and kind.discarded is not None:
                await kind.discarded(tx, mine)
        return len(dropped)


class _AboutClaim(msgspec.Struct, frozen=True):
    """
    seen           jobs that were due and might have been taken, as far as it looked.
    filled_one     a key got as many as it may have, or new keys together did.
    steps          keys and orders looked at; `last_step` is where that ended, `last_served` the last that got a job.
    was_contended  another worker was claiming of a key just then that all of them share the rate of.
    """

    seen: int
    filled_one: bool
    steps: int
    last_step: tuple[str, str] | None
    last_served: tuple[str, str] | None
    was_contended: bool
    opens_in: float | None


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
    limits     the in-flight limit of each key claimed of, where one is set.
    saw_all    nothing more that may run was due when this was claimed.
    ends_lap   it came to the end of the keys; the next begins at the first.
    left_some  something due may not have been taken, for the batch's size or its key's room.
    opens_in   seconds until a key that may not run now may: paused for a time, out of tokens, or its breaker open.
    """

    jobs: Sequence[Job]
    limits: Mapping[str, int]
    saw_all: bool
    ends_lap: bool
    left_some: bool
    opens_in: float | None


class LeaseStore:
    """What one runner does to one queue: claim, renew, write results."""

    def __init__(self, database: Database, queue: str, lease_seconds: float) -> None:
        self._database = database
        self._queue = queue
        self._lease_seconds = lease_seconds
        # The key and order after which the next claim goes on, so that each gets its turn; None: from the start.
        self._after: tuple[str, str] | None = None

    async def claim(
        self,
        limit: int,
        division: Division = UNDIVIDED,
        not_ids: Sequence[str] = (),
    ) -> Claim:
        """Never one of `not_ids`."""
        after = self._after
        async with self._database.session() as session:
            rows = await session.tuples(CLAIM, self.parameters(limit, division, not_ids))
        about, rows = msgspec.convert(rows[0][-1], _AboutClaim), rows[1:]
        jobs = sorted((Job(*row[:12]) for row in rows), key=lambda job: (job.lane, job.scheduled_at))
        limits = {row[4]: row[12] for row in rows if row[12] is not None}
        cut = about.seen >= limit
        self._after = about.last_served if cut else about.last_step if about.steps >= MOST_STEPS else None
        saw_all = after is None and self._after is None
        return Claim(
            jobs,
            limits,
            saw_all,
            ends_lap=self._after is None,
            left_some=not saw_all or about.filled_one,
            opens_in=_least(about.opens_in, CONTENDED_SECONDS if about.was_contended else None),
        )

    def parameters(self, limit: int, division: Division, not_ids: Sequence[str]) -> Mapping[str, Any]:
        """Of the statement `CLAIM`."""
        after_key, after_order = self._after or (None, None)
        return {
            "queue": self._queue,
            "limit": limit,
            "after_key": after_key,
            "after_order": after_order,
            "most_steps": MOST_STEPS,
            "known_keys": [share.key for share in division.shares],
            "caps": [share.cap for share in division.shares],
            "busy": [share.busy for share in division.shares],
            "new_key_share": division.new_keys.share,
            "new_keys_together": division.new_keys.together,
            "default_limit": DEFAULT_KEY_LIMIT,
            "not_ids": list(not_ids),
            "lease": new_id("lease"),
            "lease_seconds": self._lease_seconds,
        }

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
        parameters = {"ids": [job.id for job in jobs], "leases": list({job.lease_id for job in jobs})}
        async with self._database.session() as session:
            await session.execute(_SQL.release_jobs, parameters)

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
                mine = [f for f in results if f.job.kind == kind.name]
                for tell, told in (
                    (kind.record, [f for f in mine if f.job.id in owned]),
                    (kind.late, [f for f in mine if f.job.id not in owned]),
                ):
                    if tell is not None and told:
                        await tell(tx, told)
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


def _least(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)


def _returned(finished: Finished) -> _Returned:
    job, outcome = finished.job, finished.outcome
    status = "dead" if outcome.verdict == "dead" else "pending"
    refund = 1 if outcome.verdict == "postpone" else 0
    lane = max(job.lane, RETRY) if outcome.verdict == "retry" else job.lane
    return _Returned(job.id, job.lease_id, status, finished.next_attempt_at, lane, refund, outcome.error)
