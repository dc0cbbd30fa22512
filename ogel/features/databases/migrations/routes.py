"""/api/databases/{id}/migrations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.databases.migrations.migration import NewRun, Plan, Run
from ogel.features.databases.migrations.service import MigrationService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Reply, Route


class MigrationRoutes:
    def __init__(self, service: MigrationService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "databases:read", "read"), Access("key", "databases:write", "write")
        several = "/api/databases/{id}/migrations"
        one = several + "/{run}"
        return [
            Route("POST", several, self._start, write.audited("database.migrate").taking(None),
                  "Apply the SQL files that a postgresql database lacks; or only say which these are",
                  body=NewRun, returns=Run, status=202, also={200: Plan}),
            Route("GET", several, self._list, read, "Runs of migrations, newest first",
                  query=PageQuery, returns=Page[Run]),
            Route("GET", one, self._get, read, "One run and how far it is", returns=Run),
            Route("POST", one + "/cancel", self._cancel, write.audited("database.cancel_migration"),
                  "End it after the file under way", returns=Run),
        ]  # fmt: skip

    async def _start(self, call: Call[NewRun, Any]) -> Run | Reply:
        if call.body.dry_run:
            return Reply(await self._service.plan(call.path["id"], call.body), status=200)
        return await self._service.start(call.caller, call.path["id"], call.body)

    async def _list(self, call: Call[Any, PageQuery]) -> Page[Run]:
        after = decode_cursor(call.query.after, str) if call.query.after else None
        runs = await self._service.list(call.path["id"], after, call.query.limit + 1)
        return page(runs, call.query.limit, lambda run: run.id)

    async def _get(self, call: Call[Any, Any]) -> Run:
        return await self._service.get(call.path["id"], call.path["run"])

    async def _cancel(self, call: Call[Any, Any]) -> Run:
        return await self._service.cancel(call.caller, call.path["id"], call.path["run"])
