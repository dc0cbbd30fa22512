"""/api/maintenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.gateway.maintenance.service import MaintenanceInfo, MaintenanceService, NewMaintenance
from ogel.runtime.http.access import Access
from ogel.runtime.http.gate import OPERATES
from ogel.runtime.http.route import Call, Route

PATH = "/api/maintenance"


class MaintenanceRoutes:
    def __init__(self, service: MaintenanceService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "gateway:read", "read"), Access("key", OPERATES, "write")
        return [
            Route("GET", PATH, self._show, read, "Whether there is maintenance", returns=MaintenanceInfo),
            Route("PUT", PATH, self._switch_on, write.audited("maintenance.on"),
                  "Begin maintenance, or say something else about it: whoever may not end it is answered 503",
                  body=NewMaintenance, returns=MaintenanceInfo),
            Route("DELETE", PATH, self._switch_off, write.audited("maintenance.off"), "End maintenance", status=204),
        ]  # fmt: skip

    async def _show(self, call: Call[Any, Any]) -> MaintenanceInfo:
        return await self._service.show()

    async def _switch_on(self, call: Call[NewMaintenance, Any]) -> MaintenanceInfo:
        return await self._service.switch_on(call.caller, call.body)

    async def _switch_off(self, call: Call[Any, Any]) -> None:
        await self._service.switch_off(call.caller)
