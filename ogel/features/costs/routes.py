"""/api/cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.costs.service import Cost, CostService
from ogel.features.costs.store import PeriodCost
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route, Timestamp


class CostRoutes:
    def __init__(self, service: CostService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read = Access("key", "stats:read", "read")
        return [
            Route("GET", "/api/cost", self._last, read,
                  "What the project on Railway costs, as it was last read", returns=Cost),
            Route("GET", "/api/cost/periods", self._periods, read,
                  "What billing periods have cost, newest first", query=PageQuery, returns=Page[PeriodCost]),
        ]  # fmt: skip

    async def _last(self, call: Call[Any, Any]) -> Cost:
        return await self._service.last()

    async def _periods(self, call: Call[Any, PageQuery]) -> Page[PeriodCost]:
        query = call.query
        after = decode_cursor(query.after, Timestamp) if query.after else None
        periods = await self._service.periods(after, query.limit + 1)
        return page(periods, query.limit, lambda period: period.start)
