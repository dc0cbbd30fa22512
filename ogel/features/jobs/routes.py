"""/api/queues, /api/jobs and /api/workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from ogel.features.jobs.job import CancelledJob, JobInfo, JobStatus, QueueInfo, Some, WorkerInfo
from ogel.features.jobs.service import BATCH, JobService
from ogel.kernel.errors import Unavailable
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Route

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=STORABLE_PATTERN)]


class JobsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    queue: Word | None = None
    kind: Word | None = None
    status: JobStatus | None = None


class DeadJobs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    queue: Word
    kind: Word | None = None


class ManyJobs(DeadJobs, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: Literal["pending", "dead"] = "dead"


class JobRoutes:
    def __init__(self, service: JobService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "jobs:read", "read"), Access("key", "jobs:write", "write")
        return [
            Route("GET", "/api/queues", self._queues, read, "Depth, age and workers of every queue",
                  returns=Page[QueueInfo]),
            Route("POST", "/api/queues/{name}/pause", self._pause, write.audited("queue.pause"),
                  "No worker claims of it until it is resumed", status=204),
            Route("POST", "/api/queues/{name}/resume", self._resume, write.audited("queue.resume"), "Go on",
                  status=204),
            Route("GET", "/api/workers", self._workers, read, "Live workers, as RQ knows them",
                  returns=Page[WorkerInfo]),
            Route("GET", "/api/jobs", self._list, read,
                  "List jobs, newest first; those done or cancelled by their status, if they are kept",
                  query=JobsQuery, returns=Page[JobInfo]),
            Route("POST", "/api/jobs/retry", self._retry_dead, write.audited("job.retry_dead"),
                  f"Run dead jobs of a queue again, {BATCH:,} at a time", body=DeadJobs, returns=Some,
                  status=202),
            Route("POST", "/api/jobs/purge", self._purge,
                  write.audited("job.purge_dead", "job.purge_pending"),
                  f"Drop dead or waiting jobs of a queue, {BATCH:,} at a time", body=ManyJobs, returns=Some),
            Route("GET", "/api/jobs/{id}", self._get, read, "One job", returns=JobInfo),
            Route("POST", "/api/jobs/{id}/retry", self._retry, write.audited("job.retry"),
                  "Run a waiting or dead job now", returns=JobInfo, status=202),
            Route("POST", "/api/jobs/{id}/cancel", self._cancel, write.audited("job.cancel"),
                  "Stop a job that runs, or drop it", returns=CancelledJob, status=202),
            Route("DELETE", "/api/jobs/{id}", self._discard, write.audited("job.discard"),
                  "Drop a waiting or dead job", status=204),
        ]  # fmt: skip

    async def _queues(self, call: Call[Any, Any]) -> Page[QueueInfo]:
        return Page(await self._service.queues(), None)

    async def _pause(self, call: Call[Any, Any]) -> None:
        await self._service.pause(call.caller, call.path["name"])

    async def _resume(self, call: Call[Any, Any]) -> None:
        await self._service.resume(call.caller, call.path["name"])

    async def _workers(self, call: Call[Any, Any]) -> Page[WorkerInfo]:
        workers = await self._service.workers()
        if workers is None:
            raise Unavailable("Redis, which knows the workers, did not answer.", retry_after_seconds=1)
        return Page(workers, None)

    async def _list(self, call: Call[Any, JobsQuery]) -> Page[JobInfo]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda job: job.id)

    async def _retry_dead(self, call: Call[DeadJobs, Any]) -> Some:
        return await self._service.retry_dead(call.caller, call.body.queue, call.body.kind)

    async def _purge(self, call: Call[ManyJobs, Any]) -> Some:
        wanted = call.body
        return await self._service.purge(call.caller, wanted.queue, wanted.status, wanted.kind)

    async def _get(self, call: Call[Any, Any]) -> JobInfo:
        return await self._service.get(call.path["id"])

    async def _retry(self, call: Call[Any, Any]) -> JobInfo:
        return await self._service.retry(call.caller, call.path["id"])

    async def _cancel(self, call: Call[Any, Any]) -> CancelledJob:
        return await self._service.cancel(call.caller, call.path["id"])

    async def _discard(self, call: Call[Any, Any]) -> None:
        await self._service.discard(call.caller, call.path["id"])
