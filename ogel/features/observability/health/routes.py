"""/api/health/history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.observability.health.jobs import HISTORY
from ogel.features.observability.health.store import HealthCheck, HealthCheckStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route, Timestamp


class HealthRoutes:
    def __init__(self, database: Database, store: HealthCheckStore) -> None:
        self._database = database
        self._store = store

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/api/health/history", self._list, Access("key", "stats:read", "read"),
                  "The checks of the last 24 hours, newest first", query=PageQuery,
                  returns=Page[HealthCheck]),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, PageQuery]) -> Page[HealthCheck]:
        query = call.query
        filters = {
            "since": utc_now() - HISTORY,
            "after": decode_cursor(query.after, Timestamp) if query.after else None,
            "limit": query.limit + 1,
        }
        async with self._database.autocommit() as tx:
            checks = await self._store.list(tx, filters)
        return page(checks, query.limit, lambda check: check.checked_at)
