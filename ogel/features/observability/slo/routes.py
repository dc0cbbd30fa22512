"""/api/slo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.observability.slo.report import SloReport
from ogel.features.observability.slo.service import SloService
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class SloRoutes:
    def __init__(self, service: SloService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/api/slo", self._show, Access("key", "stats:read", "read"),
                  "Every objective, how well it is kept, and what is left of its budget", returns=SloReport),
        ]  # fmt: skip

    async def _show(self, call: Call[Any, Any]) -> SloReport:
        return await self._service.report()
