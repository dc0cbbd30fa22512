"""/api/replays, and where one begins: /api/webhooks/{id}/replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ogel.features.webhooks.replays.replay import DryRun, NewReplay, Replay, ReplayStatus
from ogel.features.webhooks.replays.service import ReplayService
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Reply, Route


class ReplayQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    webhook: Annotated[str, msgspec.Meta(max_length=128, pattern=STORABLE_PATTERN)] | None = None
    status: ReplayStatus | None = None


class ReplayRoutes:
    def __init__(self, service: ReplayService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "webhooks:read", "read"), Access("key", "webhooks:write", "write")
        one = "/api/replays/{id}"
        return [
            Route("POST", "/api/webhooks/{id}/replay", self._create, write.audited("webhook.replay"),
                  "Deliver again, since a time: what failed, what is missing, or all; or only count it",
                  body=NewReplay, returns=Replay, status=202, also={200: DryRun}),
            Route("GET", "/api/replays", self._list, read, "List replays, newest first",
                  query=ReplayQuery, returns=Page[Replay]),
            Route("GET", one, self._get, read, "One replay and how far it is", returns=Replay),
            Route("POST", one + "/pause", self._pause, write.audited("replay.pause"),
                  "Hand over no more for now", returns=Replay),
            Route("POST", one + "/resume", self._resume, write.audited("replay.resume"),
                  "Go on where it stopped", returns=Replay),
            Route("POST", one + "/cancel", self._cancel, write.audited("replay.cancel"), "Hand over no more",
                  returns=Replay),
        ]  # fmt: skip

    async def _create(self, call: Call[NewReplay, Any]) -> Replay | Reply:
        if call.body.dry_run:
            return Reply(await self._service.dry_run(call.path["id"], call.body), status=200)
        return await self._service.create(call.caller, call.path["id"], call.body)

    async def _list(self, call: Call[Any, ReplayQuery]) -> Page[Replay]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda replay: replay.id)

    async def _get(self, call: Call[Any, Any]) -> Replay:
        return await self._service.get(call.path["id"])

    async def _pause(self, call: Call[Any, Any]) -> Replay:
        return await self._service.pause(call.caller, call.path["id"])

    async def _resume(self, call: Call[Any, Any]) -> Replay:
        return await self._service.resume(call.caller, call.path["id"])

    async def _cancel(self, call: Call[Any, Any]) -> Replay:
        return await self._service.cancel(call.caller, call.path["id"])
