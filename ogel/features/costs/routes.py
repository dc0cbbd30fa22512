"""/api/cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.costs.service import Cost, CostService
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class CostRoutes:
    def __init__(self, service: CostService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/api/cost", self._last, Access("key", "stats:read", "read"),
                  "What the project on Railway costs, as it was last read", returns=Cost),
        ]  # fmt: skip

    async def _last(self, call: Call[Any, Any]) -> Cost:
        return await self._service.last()
