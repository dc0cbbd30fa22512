"""Writes jobs to the job_queue table in anyone's transaction: enqueue, revive, discard, purge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from ogel.kernel.errors import Conflict
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.database.pieces import Piece
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.kind import JobKind, by_name
from ogel.runtime.jobs.promises import LeaseSlot, NoRunner, Promises, Promising
from ogel.runtime.purge import BEGINNING, MOST_COUNTED, BatchDone, Cursor

_SQL = Queries.beside(__name__)

# Jobs in flight at once of a key without a limit of its own.
DEFAULT_KEY_LIMIT = 64
_ENQUEUE = _SQL.enqueue % b""
_ENQUEUE_OF_EVENTS = _SQL.enqueue % b"\nWHERE event_id IN (SELECT id FROM published)"


class JobQueue:
    """Writes jobs into the caller's transaction and rings their queues when it commits."""

    def __init__(
        self, kinds: Mapping[str, JobKind] | None = None, promising: Promising | None = None
    ) -> None:
        """
        `kinds` by name, unless `know` sets them before the first enqueue. `promising` is asked who may take jobs at
        once.
        """
        self._promising = NoRunner() if promising is None else promising
        self._kinds: Mapping[str, JobKind] = {} if kinds is None else kinds

    def know(self, kinds: Sequence[JobKind]) -> None:
        """Sets the kinds. Raises ValueError for two kinds of one name, or a queue with isolated and other kinds."""
        self._kinds = by_name([*self._kinds.values(), *kinds])

    async def enqueue(self, tx: Transaction, jobs: Sequence[NewJob]) -> list[str]:
        """Returns the ids of the jobs written. Jobs whose dedupe key (or id) already waits are left out."""
        if not jobs:
            return []
        written = await tx.tuples(_ENQUEUE, _rows([self._row(job) for job in jobs]))
        for _, queue, _ in written:
            tx.ring(queue)
        return [id for id, _, _ in written]

    def promised(self, jobs: Sequence[NewJob]) -> Promises:
        """
        Returns what runners of this process promise to take as it is written. The promises have to be told how it
        ended.
        """
        by_queue: dict[str, list[NewJob]] = {}
        for job in jobs:
            by_queue.setdefault(self._kinds[job.kind].queue, []).append(job)
        made = [self._promising.promise(queue, mine) for queue, mine in by_queue.items()]
        return Promises([promise for promise in made if promise is not None])

    def enqueued(self, jobs: Sequence[tuple[str, NewJob]], places: Mapping[str, LeaseSlot]) -> Piece:
        """
        Writes jobs in the statement that writes the events which cause them, given as (event id, job). Jobs with a slot
        are claimed by it, unless other jobs have to be weighed against them.
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
        """Returns the names of the kinds that users may enqueue."""
        return sorted(kind.name for kind in self._kinds.values() if kind.open)

    async def enqueue_dead(self, tx: Transaction, job: NewJob, queue: str, error: str) -> None:
        """Writes a job of an unknown kind as dead, so that people can decide about it once its kind is back."""
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
        """Counts a key's unfinished jobs, up to `most`."""
        count: int = await tx.value(_SQL.count_unfinished, {"queue": queue, "key": key, "most": most})
        return count

    async def count_due(self, tx: Transaction, queue: str, key: str, most: int) -> int:
        """Counts those of them that lack nothing but a worker, up to `most`."""
        count: int = await tx.value(_SQL.count_due, {"queue": queue, "key": key, "most": most})
        return count

    async def drop_dead(self, tx: Transaction, ids: Sequence[str]) -> None:
        """Deletes dead jobs to make room for new ones with the same ids; their kinds are not told."""
        await tx.execute(_SQL.drop_dead, {"ids": list(ids)})

    async def discard_of_key(self, tx: Transaction, queue: str, key: str, limit: int) -> int:
        """Discards up to about `limit` jobs of a key that are not running, and tells their kinds. Returns how many."""
        parameters = {"queue": queue, "key": key, "limit": limit}
        return await self._tell_discarded(tx, await tx.tuples(_SQL.discard_of_key, parameters))

    async def revive(self, tx: Transaction, job_id: str) -> bool:
        """Tells the job's kind. False when there is no such job, it is running, or one like it is unfinished."""
        return await self._tell_revived(tx, await tx.tuples(_SQL.revive, {"id": job_id})) > 0

    async def again(self, tx: Transaction, job: NewJob, what: str) -> None:
        """
        Runs a job again with all its attempts: the one that waits or is dead, or else a new one. Tells its kind that it
        was revived. The job is locked before its subject, as workers do. Raises Conflict, which names `what` it is
        about, while it is running.
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
        Cancels a job. A running one is stopped by its worker within seconds, or when its code allows it; one that waits
        or is dead is discarded. Returns False when there is no such job.
        """
        if await tx.tuples(_SQL.cancel_running, {"id": job_id}):
            return True
        return await self.discard(tx, job_id)

    async def revive_dead(self, tx: Transaction, queue: str, kind: str | None, limit: int) -> int:
        """Revives up to `limit` dead jobs of a queue, and tells their kinds. Returns how many."""
        parameters = {"queue": queue, "kind": kind, "limit": limit}
        return await self._tell_revived(tx, await tx.tuples(_SQL.revive_dead, parameters))

    async def discard_many(
        self, tx: Transaction, queue: str, status: Literal["pending", "dead"], kind: str | None, limit: int
    ) -> int:
        """Discards up to `limit` jobs of a queue with that status, and tells their kinds. Returns how many."""
        parameters = {"queue": queue, "status": status, "kind": kind, "limit": limit}
        return await self._tell_discarded(tx, await tx.tuples(_SQL.discard_many, parameters))

    async def pause(self, tx: Transaction, queue: str) -> None:
        """Stops claims of a queue until it is resumed. Jobs in flight run to their end."""
        await tx.execute(_SQL.pause_queue, {"queue": queue})

    async def resume(self, tx: Transaction, queue: str) -> None:
        await tx.execute(_SQL.resume_queue, {"queue": queue})
        tx.ring(queue)

    async def count_results(self, tx: Transaction, before: datetime) -> int:
        """Counts results that expired before then, up to one more than MOST_COUNTED."""
        count: int = await tx.value(_SQL.count_results, {"before": before, "most": MOST_COUNTED + 1})
        return count

    async def purge_results(self, tx: Transaction, before: datetime, limit: int) -> int:
        """Deletes up to `limit` results that expired before then; returns how many."""
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
        Counts jobs that have been dead for longer, of kinds whose dead jobs no other purge deletes; up to one more than
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
            kind = self._kinds.get(name)  # none: written by an older or newer version
            if kind is not None and kind.discarded is not None:
                await kind.discarded(tx, mine)
        return len(dropped)


def _rows(jobs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"jobs": records(jobs), "default_key_limit": DEFAULT_KEY_LIMIT}
