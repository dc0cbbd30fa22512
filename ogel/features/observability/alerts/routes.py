"""/api/alerts/check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.observability.alerts.service import AlertService, Checked
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class AlertRoutes:
    def __init__(self, service: AlertService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/api/alerts/check", self._check, Access("key", "stats:read", "read"),
                  "Every rule against the numbers of now, and which alerts are raised", returns=Checked),
        ]  # fmt: skip

    async def _check(self, call: Call[Any, Any]) -> Checked:
        return await self._service.look()
