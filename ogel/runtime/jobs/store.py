"""The job_queue table: enqueueing inside anyone's transaction, and what a runner asks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from ogel.kernel.errors import Conflict
from ogel.kernel.ids import new_id
from ogel.kernel.text import storable
from ogel.runtime.database.database import Database, Queries, Transaction, records
from ogel.runtime.database.pieces import Piece, together
from ogel.runtime.jobs.job import RETRY, Finished, Job, NewJob
from ogel.runtime.jobs.kind import JobKind, by_name
from ogel.runtime.jobs.promises import Nobody, Place, Promises, Promising
from ogel.runtime.jobs.shares import UNDIVIDED, Division
from ogel.runtime.purge import BEGINNING, MOST_COUNTED, BatchDone, Cursor

_SQL = Queries.beside(__name__)

# In flight at once, of a key nobody has set a limit for.
DEFAULT_KEY_LIMIT = 64
CLAIM = _SQL.claim
_ENQUEUE = _SQL.enqueue % b""
_ENQUEUE_OF_EVENTS = _SQL.enqueue % b"\nWHERE event_id IN (SELECT id FROM published)"
# Keys, and orders of ordered keys, that one claim looks at; the next goes on from there.
MOST_STEPS = 500
# What a claim may find and be spared a look at everything.
FEW = 20
# A key that another worker was claiming of is looked at again after this.
CONTENDED_SECONDS = 0.02
# Verdicts after which a job leaves the table.
_OVER = ("done", "cancelled")


class JobQueue:
    """Writes jobs into the caller's transaction and rings their queues when it commits."""

    def __init__(
        self, kinds: Mapping[str, JobKind] | None = None, promising: Promising | None = None
    ) -> None:
        """`kinds` by name; or `know` says them before anything is enqueued. `promising`: who may take jobs at once."""
        self._promising = Nobody() if promising is None else promising
        self._kinds: Mapping[str, JobKind] = {} if kinds is None else kinds

    def know(self, kinds: Sequence[JobKind]) -> None:
        """ValueError: two kinds of one name, or a queue of isolated kinds and others."""
        self._kinds = by_name([*self._kinds.values(), *kinds])

    async def enqueue(self, tx: Transaction, jobs: Sequence[NewJob]) -> list[str]:
        """Ids of the jobs written: those whose dedupe key (or id) already waits are left out."""
        if not jobs:
            return []
        written = await tx.tuples(_ENQUEUE, _rows([self._row(job) for job in jobs]))
        for _, queue, _ in written:
            tx.ring(queue)
        return [id for id, _, _ in written]

    def promised(self, jobs: Sequence[NewJob]) -> Promises:
        """What runners of this process promise to take of them as they are written; to be told the end."""
        by_queue: dict[str, list[NewJob]] = {}
        for job in jobs:
            by_queue.setdefault(self._kinds[job.kind].queue, []).append(job)
        made = [self._promising.promise(queue, mine) for queue, mine in by_queue.items()]
        return Promises([promise for promise in made if promise is not None])

    def enqueued(self, jobs: Sequence[tuple[str, NewJob]], places: Mapping[str, Place]) -> Piece:
        """
        Writes them in the statement that writes the events which cause them: (event id, job). Those with a place are
        claimed by it, unless there is something to be weighed.
        """
        rows = [
            {
                "event_id": event_id,
                **self._row(job),
                **(place._asdict() if (place := places.get(job.id)) else {}),
            }
            for event_id, job in jobs
        ]
        return Piece("enqueued", _ENQUEUE_OF_EVENTS, _rows(rows), _SQL.enqueued_in)

    def kind(self, name: str) -> JobKind | None:
        return self._kinds.get(name)

    def open_kinds(self) -> list[str]:
        """Names of those that users may enqueue."""
        return sorted(kind.name for kind in self._kinds.values() if kind.open)

    async def enqueue_dead(self, tx: Transaction, job: NewJob, queue: str, error: str) -> None:
        """A job that nothing here can perform: people see it and decide, once its kind is back."""
        parameters = {
            "id": job.id,
            "queue": queue,
            "kind": job.kind,
            "payload": msgspec.json.encode(job.payload).decode(),
            "dedupe_key": job.dedupe_key,
            "error": error,
        }
        await tx.execute(_SQL.enqueue_dead, parameters)

    def _row(self, job: NewJob) -> dict[str, Any]:
        kind = self._kinds[job.kind]
        return {
            "id": job.id,
            "queue_name": kind.queue,
            "kind": kind.name,
            "payload": job.payload,
            "priority": job.priority,
            "key": job.key,
            "order_key": job.order_key,
            "max_attempts": kind.max_attempts,
            "scheduled_at": job.scheduled_at,
            "dedupe_key": job.dedupe_key,
            "keep_result_seconds": job.keep_result_seconds,
        }

    async def count_unfinished(self, tx: Transaction, queue: str, key: str, most: int) -> int:
        """Jobs of a key that wait, for whatever it may be, or run; counted up to `most`."""
        count: int = await tx.value(_SQL.count_unfinished, {"queue": queue, "key": key, "most": most})
        return count

    async def count_due(self, tx: Transaction, queue: str, key: str, most: int) -> int:
        """Those among them that nothing but a worker is missing to; counted up to `most`."""
        count: int = await tx.value(_SQL.count_due, {"queue": queue, "key": key, "most": most})
        return count

    async def drop_dead(self, tx: Transaction, ids: Sequence[str]) -> None:
        """Dead jobs make room for successors of the same ids; their kinds are not told."""
        await tx.execute(_SQL.drop_dead, {"ids": list(ids)})

    async def discard_of_key(self, tx: Transaction, queue: str, key: str, limit: int) -> int:
        """Up to about `limit` jobs of a key that are not running; tells their kinds. Returns how many."""
        parameters = {"queue": queue, "key": key, "limit": limit}
        return await self._tell_discarded(tx, await tx.tuples(_SQL.discard_of_key, parameters))

    async def revive(self, tx: Transaction, job_id: str) -> bool:
        """Tells the job's kind. False when there is no such job, it is running, or one like it is unfinished."""
        return await self._tell_revived(tx, await tx.tuples(_SQL.revive, {"id": job_id})) > 0

    async def again(self, tx: Transaction, job: NewJob, what: str) -> None:
        """
        It runs at once with all attempts before it: the one that waits or is dead, or else a new one. Tells its kind
        that it was revived. A job is locked before what it is about, as workers do. Raises Conflict, which says `what`
        it is about, while it is running.
        """
        if await self.revive(tx, job.id):
            return
        if not await self.enqueue(tx, [job]):
            raise Conflict(f"An attempt of {what} is under way.")
        kind = self._kinds[job.kind]
        if kind.revived is not None:
            await kind.revived(tx, [job.payload])

    async def discard(self, tx: Transaction, job_id: str) -> bool:
        """Tells the job's kind. False when there is no such job, or it is running."""
        return await self._tell_discarded(tx, await tx.tuples(_SQL.discard, {"id": job_id})) > 0

    async def cancel(self, tx: Transaction, job_id: str) -> bool:
        """
        One that runs is stopped by its worker within seconds, or when it lets itself be stopped; one that waits, or is
        dead, is discarded. False when there is no such job.
        """
        if await tx.tuples(_SQL.cancel_running, {"id": job_id}):
            return True
        return await self.discard(tx, job_id)

    async def revive_dead(self, tx: Transaction, queue: str, kind: str | None, limit: int) -> int:
        """Up to `limit` dead jobs of a queue run again; tells their kinds. Returns how many."""
        parameters = {"queue": queue, "kind": kind, "limit": limit}
        return await self._tell_revived(tx, await tx.tuples(_SQL.revive_dead, parameters))

    async def discard_many(
        self, tx: Transaction, queue: str, status: Literal["pending", "dead"], kind: str | None, limit: int
    ) -> int:
        """Up to `limit` jobs of a queue that stand so; tells their kinds. Returns how many."""
        parameters = {"queue": queue, "status": status, "kind": kind, "limit": limit}
        return await self._tell_discarded(tx, await tx.tuples(_SQL.discard_many, parameters))

    async def pause(self, tx: Transaction, queue: str) -> None:
        """No worker claims of it until it is resumed; what is in flight ends as it ends."""
        await tx.execute(_SQL.pause_queue, {"queue": queue})

    async def resume(self, tx: Transaction, queue: str) -> None:
        await tx.execute(_SQL.resume_queue, {"queue": queue})
        tx.ring(queue)

    async def count_results(self, tx: Transaction, before: datetime) -> int:
        """Results whose time to be kept was over before then; counted up to one more than MOST_COUNTED."""
        count: int = await tx.value(_SQL.count_results, {"before": before, "most": MOST_COUNTED + 1})
        return count

    async def purge_results(self, tx: Transaction, before: datetime, limit: int) -> int:
        """Results whose time to be kept was over before then, `limit` at most; returns how many."""
        return await tx.execute(_SQL.purge_results, {"before": before, "limit": limit})

    async def _tell_revived(self, tx: Transaction, revived: Sequence[tuple[str, str, Any]]) -> int:
        payloads: dict[str, list[Any]] = {}
        for queue, name, payload in revived:
            tx.ring(queue)
            payloads.setdefault(name, []).append(payload)
        for name, mine in payloads.items():
            kind = self._kinds.get(name)
            if kind is not None and kind.revived is not None:
                await kind.revived(tx, mine)
        return len(revived)

    async def count_dead(self, tx: Transaction, before: datetime) -> int:
        """
        Dead for longer, of kinds whose dead jobs belong to nothing else that is purged; counted up to one more than
        MOST_COUNTED.
        """
        parameters = {"before": before, "kept": self._purged_with_others, "most": MOST_COUNTED + 1}
        count: int = await tx.value(_SQL.count_dead, parameters)
        return count

    async def purge_dead(
        self, tx: Transaction, before: datetime, limit: int, cursor: Cursor = BEGINNING
    ) -> BatchDone:
        """Deletes those among the next `limit` dead jobs; tells their kinds."""
        parameters = {
            "before": before,
            "limit": limit,
            "kept": self._purged_with_others,
            "after_at": cursor.at,
            "after_id": cursor.id,
        }
        [(seen, at, id, _, _), *gone] = await tx.tuples(_SQL.purge_dead, parameters)
        deleted = await self._tell_discarded(tx, [(kind, payload) for *_, kind, payload in gone])
        return BatchDone(deleted, seen < limit, Cursor(at, id) if seen else cursor)

    @property
    def _purged_with_others(self) -> list[str]:
        return [kind.name for kind in self._kinds.values() if kind.purged_with is not None]

    async def _tell_discarded(self, tx: Transaction, dropped: Sequence[tuple[str, Any]]) -> int:
        payloads: dict[str, list[Any]] = {}
        for name, payload in dropped:
            payloads.setdefault(name, []).append(payload)
        for name, mine in payloads.items():
            kind = self._kinds.get(name)  # none: of a version before or after this one
            if kind is not None and kind.discarded is not None:
                await kind.discarded(tx, mine)
        return len(dropped)


def _rows(jobs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"jobs": records(jobs), "default_key_limit": DEFAULT_KEY_LIMIT}


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


class _Over(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of `end`; `status` is left out for what is done."""

    id: str
    lease_id: str
    status: str | None = None
    result: msgspec.Raw | None = None


class Noted(msgspec.Struct, frozen=True):
    """A row of `note_progress`."""

    id: str
    lease_id: str
    progress: Any


class _Returned(msgspec.Struct, frozen=True):
    """A row of `give_back`."""

    id: str
    lease_id: str
    status: str
    scheduled_at: datetime | None
    priority: int
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

    async def claim_few(self, limit: int, division: Division) -> Claim | None:
        """
        All that is due, if that is little and needs no weighing: a tenth of the work. None: `claim` has to look. Only
        while the last that looked saw all and left nothing, for this one sees nothing that is not due.
        """
        few = min(limit, FEW, division.new_keys.together)
        if few <= 0:
            return None
        parameters = {**self._of_shares(division), **self._of_lease(), "queue": self._queue, "few": few}
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(_SQL.claim_few, parameters)
        if not rows[0][-1]:
            return None
        jobs, limits = _jobs_and_limits([row for row in rows if row[0] is not None])
        return Claim(jobs, limits, saw_all=True, ends_lap=True, left_some=False, opens_in=None)

    async def claim(
        self,
        limit: int,
        division: Division = UNDIVIDED,
        not_ids: Sequence[str] = (),
    ) -> Claim:
        """Never one of `not_ids`."""
        after = self._after
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(CLAIM, self.parameters(limit, division, not_ids))
        about, rows = msgspec.convert(rows[0][-1], _AboutClaim), rows[1:]
        jobs, limits = _jobs_and_limits(rows)
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
            **self._of_shares(division),
            **self._of_lease(),
            "queue": self._queue,
            "limit": limit,
            "after_key": after_key,
            "after_order": after_order,
            "most_steps": MOST_STEPS,
            "new_keys_together": division.new_keys.together,
            "not_ids": list(not_ids),
        }

    def _of_shares(self, division: Division) -> Mapping[str, Any]:
        return {
            "known_keys": [share.key for share in division.shares],
            "caps": [share.cap for share in division.shares],
            "busy": [share.busy for share in division.shares],
            "new_key_share": division.new_keys.share,
            "default_limit": DEFAULT_KEY_LIMIT,
        }

    def _of_lease(self) -> Mapping[str, Any]:
        return {"lease": new_id("lease"), "lease_seconds": self._lease_seconds}

    async def seconds_to_next(self) -> float | None:
        async with self._database.autocommit() as tx:
            seconds: float | None = await tx.value(_SQL.seconds_to_next, {"queue": self._queue})
        return seconds

    async def renew(self, jobs: Sequence[Job]) -> None:
        leases = list({job.lease_id for job in jobs})
        parameters = {"ids": [job.id for job in jobs], "leases": leases, "lease_seconds": self._lease_seconds}
        async with self._database.autocommit() as tx:
            await tx.execute(_SQL.renew, parameters)

    async def lost(self, jobs: Sequence[Job]) -> set[str]:
        """Ids of those that another worker has taken over, or that are gone."""
        parameters = {"ids": [job.id for job in jobs], "leases": list({job.lease_id for job in jobs})}
        async with self._database.autocommit() as tx:
            return {id for (id,) in await tx.tuples(_SQL.lost_leases, parameters)}

    async def note_progress(self, notes: Sequence[Noted]) -> None:
        async with self._database.autocommit() as tx:
            parameters = {"rows": records(notes), "ids": [note.id for note in notes]}
            await tx.execute(_SQL.note_progress, parameters)

    async def cancelled(self, jobs: Sequence[Job]) -> set[str]:
        """Ids of those that somebody wants to end."""
        leases = list({job.lease_id for job in jobs})
        async with self._database.autocommit() as tx:
            return {id for (id,) in await tx.tuples(_SQL.cancelled_among, {"leases": leases})}

    async def release(self, jobs: Sequence[Job]) -> None:
        """Unfinished jobs of a worker that stops: due at once, this attempt not counted."""
        parameters = {"ids": [job.id for job in jobs], "leases": list({job.lease_id for job in jobs})}
        async with self._database.autocommit() as tx:
            await tx.execute(_SQL.release_jobs, parameters)

    async def write(self, results: Sequence[Finished], kinds: Mapping[str, JobKind]) -> int:
        """All together, or none. Returns how many results came too late: their job had a new owner."""
        if (at_once := await self._write_at_once(results, kinds)) is not None:
            return at_once
        recording = [kind for kind in kinds.values() if kind.record is not None]
        cancelled = [f for f in results if f.outcome.verdict == "cancelled"]
        async with self._database.transaction() as tx:
            owned = await self._end(tx, results)
            for kind in kinds.values():
                dropped = [f.job.payload for f in cancelled if f.job.kind == kind.name and _claim(f) in owned]
                if dropped and kind.discarded is not None:
                    await kind.discarded(tx, dropped)
            for kind in recording:
                mine = [f for f in results if f.job.kind == kind.name and f.outcome.verdict != "cancelled"]
                if kind.record is not None and (told := [f for f in mine if _claim(f) in owned]):
                    await kind.record(tx, told)
                await _tell_late(tx, kind, mine, owned)
        return len(results) - len(owned)

    async def _write_at_once(self, results: Sequence[Finished], kinds: Mapping[str, JobKind]) -> int | None:
        """In one statement, which needs no transaction around it; None: it takes more than one."""
        if any(f.outcome.verdict != "done" for f in results) or _has_twins(results):
            return None
        pieces: list[Piece] = []
        for kind in kinds.values():
            mine = [f for f in results if f.job.kind == kind.name]
            if mine and kind.record is not None:
                recorded = kind.recorded(mine) if kind.recorded is not None else None
                if recorded is None:
                    return None
                pieces += recorded
        async with self._database.autocommit() as tx:
            owned = await _ended(tx, results, pieces)
        if len(owned) < len(results):
            async with self._database.transaction() as tx:
                for kind in kinds.values():
                    await _tell_late(tx, kind, results, owned)
        return len(results) - len(owned)

    async def _end(self, tx: Transaction, results: Sequence[Finished]) -> set[tuple[str, str]]:
        """Job and lease of each claim that was still good; of one job, two may have ended here."""
        over = [f for f in results if f.outcome.verdict in _OVER]
        others = [f for f in results if f.outcome.verdict not in _OVER]
        owned = await _ended(tx, over) if over else set()
        if others:
            rows = records([_returned(f) for f in others])
            owned.update(await tx.tuples(_SQL.give_back, {"rows": rows}))
        return owned


async def _ended(
    tx: Transaction, over: Sequence[Finished], pieces: Sequence[Piece] = ()
) -> set[tuple[str, str]]:
    rows = records([_over(f) for f in over])
    ended = Piece("ended", _SQL.end, {"ended": rows}, says=_SQL.which_ended)
    return set(await tx.tuples(*together([ended, Piece("kept", _SQL.keep, {}), *pieces])))


async def _tell_late(
    tx: Transaction, kind: JobKind, results: Sequence[Finished], owned: set[tuple[str, str]]
) -> None:
    late = [f for f in results if f.job.kind == kind.name and _claim(f) not in owned]
    if kind.late is not None and late:
        await kind.late(tx, late)


def _has_twins(results: Sequence[Finished]) -> bool:
    """Two claims of one job ended here; what is written of either depends on which of them holds."""
    return len({f.job.id for f in results}) < len(results)


def _jobs_and_limits(rows: Sequence[tuple[Any, ...]]) -> tuple[Sequence[Job], Mapping[str, int]]:
    """Of rows of a claim: the jobs in the order they are due, and the limits of their keys."""
    jobs = sorted((Job(*row[:13]) for row in rows), key=lambda job: (job.priority, job.scheduled_at))
    return jobs, {row[4]: row[13] for row in rows if row[13] is not None}


def _claim(finished: Finished) -> tuple[str, str]:
    return finished.job.id, finished.job.lease_id


def _over(finished: Finished) -> _Over:
    job, outcome = finished.job, finished.outcome
    status = None if outcome.verdict == "done" else outcome.verdict
    return _Over(job.id, job.lease_id, status, outcome.result)


def _least(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)


def _returned(finished: Finished) -> _Returned:
    job, outcome = finished.job, finished.outcome
    status = "dead" if outcome.verdict == "dead" else "pending"
    refund = 1 if outcome.verdict == "postpone" else 0
    priority = max(job.priority, RETRY) if outcome.verdict == "retry" else job.priority
    error = None if outcome.error is None else storable(outcome.error)
    return _Returned(job.id, job.lease_id, status, finished.next_attempt_at, priority, refund, error)
