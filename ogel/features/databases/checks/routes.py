"""Requesting a check of a database, and its statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.databases.checks.service import CheckService
from ogel.features.databases.registry.database import RegisteredDatabase, Stats
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class CheckRoutes:
    def __init__(self, service: CheckService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "databases:read", "read"), Access("key", "databases:write", "write")
        one = "/api/databases/{id}"
        return [
            Route("POST", one + "/check", self._check, write.audited("database.check"),
                  "Look at it now; `check.checked_at` of the database tells when that is done",
                  returns=RegisteredDatabase, status=202),
            Route("GET", one + "/stats", self._stats, read, "Its statistics, as they were when last measured",
                  returns=Stats),
        ]  # fmt: skip

    async def _check(self, call: Call[Any, Any]) -> RegisteredDatabase:
        return await self._service.ask(call.caller, call.path["id"])

    async def _stats(self, call: Call[Any, Any]) -> Stats:
        return await self._service.stats(call.path["id"])
