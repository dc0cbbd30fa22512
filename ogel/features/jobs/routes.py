"""/api/queues and /api/jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ogel.features.jobs.service import JobInfo, JobService, JobStatus, QueueInfo
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route


class JobsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    queue: Annotated[str, msgspec.Meta(max_length=100, pattern=STORABLE_PATTERN)] | None = None
    status: JobStatus | None = None


class JobRoutes:
    def __init__(self, service: JobService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = "jobs:read", "jobs:write"
        return [
            Route("GET", "/api/queues", self._queues, read, "Depth, age and workers of every queue",
                  returns=Page[QueueInfo]),
            Route("GET", "/api/jobs", self._list, read, "List unfinished and dead jobs, newest first",
                  query=JobsQuery, returns=Page[JobInfo]),
            Route("GET", "/api/jobs/{id}", self._get, read, "One job", returns=JobInfo),
            Route("POST", "/api/jobs/{id}/retry", self._retry, write, "Run a waiting or dead job now",
                  returns=JobInfo, status=202),
            Route("DELETE", "/api/jobs/{id}", self._discard, write, "Drop a waiting or dead job", status=204),
        ]  # fmt: skip

    async def _queues(self, call: Call[Any, Any]) -> Page[QueueInfo]:
        return Page(await self._service.queues(), None)

    async def _list(self, call: Call[Any, JobsQuery]) -> Page[JobInfo]:
        query = call.query
        filters = msgspec.structs.asdict(query) | {
            "limit": query.limit + 1,
            "after": decode_cursor(query.after, str) if query.after else None,
        }
        return page(await self._service.list(filters), query.limit, lambda job: job.id)

    async def _get(self, call: Call[Any, Any]) -> JobInfo:
        return await self._service.get(call.path["id"])

    async def _retry(self, call: Call[Any, Any]) -> JobInfo:
        return await self._service.retry(call.caller, call.path["id"])

    async def _discard(self, call: Call[Any, Any]) -> None:
        await self._service.discard(call.caller, call.path["id"])
