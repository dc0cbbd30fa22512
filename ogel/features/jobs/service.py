"""The rules of queues and jobs: listing, pausing, retrying, cancelling and purging."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from ogel.features.jobs.job import OVER, UNFINISHED, CancelledJob, JobInfo, QueueInfo, Some, WorkerInfo
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.principal import Caller
from ogel.kernel.text import no_such
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Queries, Transaction
from ogel.runtime.jobs.depths import Depths
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.pressure import Pressure
from ogel.runtime.jobs.store import JobQueue

_SQL = Queries.beside(__name__)

# The most jobs that one request changes, so that its transaction stays short.
BATCH = 1_000
# Returns the live workers; None while Redis is away.
WorkerList = Callable[[], Awaitable[Sequence[Mapping[str, Any]] | None]]


class JobService:
    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        audit: AuditTrail,
        depths: Depths,
        pressure: Pressure,
        workers: WorkerList,
        kinds: Sequence[JobKind],
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._audit = audit
        self._depths = depths
        self._pressure = pressure
        self._workers = workers
        self._kinds = {kind.name: kind for kind in kinds}
        self._queues = sorted({kind.queue for kind in kinds})

    async def queues(self) -> list[QueueInfo]:
        workers = await self.workers()
        depths = await self._depths.all()
        async with self._database.autocommit() as tx:
            paused: dict[str, datetime] = dict(await tx.tuples(_SQL.paused))
        return [
            QueueInfo(
                name=name,
                depth=depth.pending + depth.held,
                pending=depth.pending,
                held=depth.held,
                running=depth.running,
                dead=depth.dead,
                oldest_seconds=round(depth.oldest_seconds, 3),
                paused_at=paused.get(name),
                level=self._pressure.level(depth.pending + depth.running),
                workers=None if workers is None else sorted(w.name for w in workers if name in w.queues),
            )
            for name, depth in sorted(depths.items())
        ]

    async def workers(self) -> list[WorkerInfo] | None:
        """Sorted by name; None while Redis is away."""
        workers = await self._workers()
        return None if workers is None else [WorkerInfo(**worker) for worker in workers]

    async def pause(self, caller: Caller, queue: str) -> None:
        """No worker begins a job of this queue any more; running jobs are not interrupted."""
        await self._set_paused(caller, queue, paused=True)

    async def resume(self, caller: Caller, queue: str) -> None:
        await self._set_paused(caller, queue, paused=False)

    async def list(self, filters: Mapping[str, Any]) -> list[JobInfo]:
        status = filters["status"]
        query = _SQL.list_results if status in OVER else _SQL.list_jobs
        asked = {
            **filters,
            "queue": filters["queue"] or self._queue_of(filters["kind"]),
            "statuses": UNFINISHED if status is None else ["pending" if status == "held" else status],
            "held": status == "held" if status in ("held", "pending") else None,
        }
        async with self._database.autocommit() as tx:
            found = await tx.all(query, asked, JobInfo)
        if not found and filters["after"] is None:
            self._check_filters(filters)
        return found

    def _queue_of(self, kind: str | None) -> str | None:
        known = self._kinds.get(kind) if kind is not None else None
        return None if known is None else known.queue

    def _check_filters(self, filters: Mapping[str, Any]) -> None:
        """
        Called when nothing was found. A queue or kind that is no longer served may still have jobs, so it is not
        checked before.
        """
        queue, kind = filters["queue"], filters["kind"]
        if queue is not None and queue not in self._queues:
            raise Invalid.field("query.queue", f"there is {no_such('queue', queue, self._queues)}")
        if kind is not None and kind not in self._kinds:
            raise Invalid.field("query.kind", f"there is {no_such('kind', kind, sorted(self._kinds))}")

    async def get(self, id: str) -> JobInfo:
        async with self._database.autocommit() as tx:
            return await self._get(tx, id)

    async def retry(self, caller: Caller, id: str) -> JobInfo:
        """Makes the job due now, with all its attempts again."""
        job = await self._unfinished(id)
        async with self._database.transaction() as tx:
            if not await self._jobs.revive(tx, id):
                raise Conflict(f"Job {id!r} is running, or another that does the same waits already.")
            await self._record(tx, caller, "job.retry", job)
            return await self._get(tx, id)

    async def cancel(self, caller: Caller, id: str) -> CancelledJob:
        """A running job is stopped by its worker within seconds; a waiting or dead job is dropped at once."""
        job = await self._unfinished(id)
        kind = self._kinds.get(job.kind)
        if job.status == "running" and kind is not None and not kind.cancellable:
            raise Conflict(f"Job {id!r} is running, and a {job.kind} ends by itself in a moment.")
        async with self._database.transaction() as tx:
            if not await self._jobs.cancel(tx, id):
                raise Conflict(f"Job {id!r} has just ended.")
            await self._record(tx, caller, "job.cancel", job)
            is_there = await tx.one(_SQL.get_job, {"id": id}, JobInfo) is not None
        return CancelledJob(id, "cancelling" if is_there else "cancelled")

    async def discard(self, caller: Caller, id: str) -> None:
        job = await self._unfinished(id)
        async with self._database.transaction() as tx:
            if not await self._jobs.discard(tx, id):
                raise Conflict(f"Job {id!r} is running.")
            await self._record(tx, caller, "job.discard", job)

    async def retry_dead(self, caller: Caller, queue: str, kind: str | None) -> Some:
        """Retries at most BATCH dead jobs of a queue, oldest first."""
        self._check_queue(queue)
        async with self._database.transaction() as tx:
            done = await self._jobs.revive_dead(tx, queue, kind, BATCH)
            self._check_kind(kind, done)
            return await self._some(tx, caller, "job.retry_dead", queue, kind, done)

    async def purge(
        self, caller: Caller, queue: str, status: Literal["pending", "dead"], kind: str | None
    ) -> Some:
        """Drops at most BATCH jobs of a queue, oldest first; running jobs are left alone."""
        self._check_queue(queue)
        async with self._database.transaction() as tx:
            done = await self._jobs.discard_many(tx, queue, status, kind, BATCH)
            self._check_kind(kind, done)
            return await self._some(tx, caller, f"job.purge_{status}", queue, kind, done)

    async def _some(
        self, tx: Transaction, caller: Caller, action: str, queue: str, kind: str | None, done: int
    ) -> Some:
        if done:
            await self._audit.record(tx, caller, action, "queue", queue, {"kind": kind, "jobs": done})
        return Some(done, more=done == BATCH)

    async def _set_paused(self, caller: Caller, queue: str, *, paused: bool) -> None:
        self._check_queue(queue)
        async with self._database.transaction() as tx:
            await (self._jobs.pause if paused else self._jobs.resume)(tx, queue)
            await self._audit.record(tx, caller, "queue.pause" if paused else "queue.resume", "queue", queue)

    def _check_queue(self, queue: str) -> None:
        if queue not in self._queues:
            raise NotFound(f"There is {no_such('queue', queue, self._queues)}.")

    def _check_kind(self, kind: str | None, done: int) -> None:
        if kind is not None and kind not in self._kinds and not done:
            raise NotFound(f"There is {no_such('kind', kind, sorted(self._kinds))}.")

    async def _record(self, tx: Transaction, caller: Caller, action: str, job: JobInfo) -> None:
        await self._audit.record(tx, caller, action, "job", job.id, {"kind": job.kind, "was": job.status})

    async def _unfinished(self, id: str) -> JobInfo:
        job = await self.get(id)
        if job.status in OVER:
            raise Conflict(f"Job {id!r} is {job.status} already.")
        return job

    async def _get(self, tx: Transaction, id: str) -> JobInfo:
        for query in (_SQL.get_job, _SQL.get_result):
            job = await tx.one(query, {"id": id}, JobInfo)
            if job is not None:
                return job
        raise NotFound(f"No job {id!r}; jobs that are done leave at once, unless their result is kept.")
