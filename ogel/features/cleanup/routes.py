"""GET /api/cleanup, POST /api/cleanup/{kind}/run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec

from ogel.features.cleanup.service import CleanupService, Due, PurgeInfo
from ogel.kernel.clock import utc_now
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page
from ogel.runtime.http.route import Call, Reply, Route


class RunRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`older_than_days` replaces the purge's own retention."""

    dry_run: bool = False
    older_than_days: Annotated[float, msgspec.Meta(ge=0.01, le=36500)] | None = None


class CleanupRoutes:
    def __init__(self, service: CleanupService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                "/api/cleanup",
                self._list,
                access=Access("key", "cleanup:read", "read"),
                summary="What is forgotten when, how much is due, and how the last run went",
                returns=Page[PurgeInfo],
            ),
            Route(
                "POST",
                "/api/cleanup/{kind}/run",
                self._run,
                access=Access("key", "cleanup:write", "write").audited("cleanup.run"),
                summary="Forget what is old now; or count it, with dry_run",
                body=RunRequest,
                body_optional=True,
                returns=Due,
                status=202,
                also={200: Due},
            ),
        ]

    async def _list(self, call: Call[Any, Any]) -> Page[PurgeInfo]:
        # One page holds all purges: they are declared in code, so there are few.
        return Page(await self._service.list(), next=None)

    async def _run(self, call: Call[RunRequest | None, Any]) -> Due | Reply:
        kind, wanted = call.path["kind"], call.body or RunRequest()
        days = wanted.older_than_days
        before = None if days is None else utc_now() - timedelta(days=days)
        if wanted.dry_run:
            return Reply(await self._service.dry_run(kind, before), status=200)
        return await self._service.run(call.caller, kind, before)
