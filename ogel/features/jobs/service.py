"""Looking at queues and jobs, and deciding about dead ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import structlog
from msgspec import Struct

from ogel.features.audit.contract import AuditTrail
from ogel.features.jobs.depths import Depths
from ogel.kernel.errors import Conflict, NotFound
from ogel.kernel.principal import Caller
from ogel.runtime.database import Database, Queries, Session
from ogel.runtime.jobs.store import JobQueue

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)
JobStatus = Literal["pending", "running", "held", "dead"]
# Names of the live workers by queue; None when nobody could say (Redis away).
WorkerList = Callable[[], Awaitable[Mapping[str, Sequence[str]] | None]]


class QueueInfo(Struct, frozen=True):
    """
    `depth` is what waits (pending and held); more than 10,000 are estimated. `workers` are RQ's names of live ones,
    null while Redis is away.
    """

    name: str
    depth: int
    pending: int
    held: int
    running: int
    dead: int
    oldest_seconds: float
    workers: list[str] | None


class JobInfo(Struct, frozen=True):
    id: str
    queue: str
    kind: str
    status: JobStatus
    lane: int
    key: str | None
    payload: dict[str, Any]
    attempts: int
    max_attempts: int
    scheduled_at: datetime
    leased_until: datetime | None
    last_error: str | None
    finished_at: datetime | None
    created_at: datetime


class JobService:
    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        audit: AuditTrail,
        depths: Depths,
        workers: WorkerList,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._audit = audit
        self._depths = depths
        self._workers = workers

    async def queues(self) -> list[QueueInfo]:
        workers = await self._workers()
        return [
            QueueInfo(
                name=name,
                depth=depth.pending + depth.held,
                pending=depth.pending,
                held=depth.held,
                running=depth.running,
                dead=depth.dead,
                oldest_seconds=round(depth.oldest_seconds, 3),
                workers=None if workers is None else sorted(workers.get(name, ())),
            )
            for name, depth in sorted((await self._depths.all()).items())
        ]

    async def list(self, filters: Mapping[str, Any]) -> list[JobInfo]:
        async with self._database.session() as session:
            return await session.all(_SQL.list_jobs, filters, JobInfo)

    async def get(self, id: str) -> JobInfo:
        async with self._database.session() as session:
            return await self._get(session, id)

    async def retry(self, caller: Caller, id: str) -> JobInfo:
        """Now, with all its attempts before it."""
        job = await self.get(id)
        async with self._database.transaction() as tx:
            if not await self._jobs.revive(tx, id):
                raise Conflict(f"Job {id!r} is running.")
            await self._audit.record(
                tx, caller, "job.retry", "job", id, {"kind": job.kind, "was": job.status}
            )
            return await self._get(tx, id)

    async def discard(self, caller: Caller, id: str) -> None:
        job = await self.get(id)
        async with self._database.transaction() as tx:
            if not await self._jobs.discard(tx, id):
                raise Conflict(f"Job {id!r} is running.")
            await self._audit.record(
                tx, caller, "job.discard", "job", id, {"kind": job.kind, "was": job.status}
            )

    async def _get(self, session: Session, id: str) -> JobInfo:
        job = await session.one(_SQL.get_job, {"id": id}, JobInfo)
        if job is None:
            raise NotFound(f"No job {id!r}; jobs that are done leave at once.")
        return job
