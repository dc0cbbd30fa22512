"""/api/devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.messaging.devices.device import Device, NewDevice, Subject
from ogel.features.messaging.devices.service import DeviceService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Reply, Route


class DeviceQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    subject: Subject | None = None


class DeviceRoutes:
    def __init__(self, service: DeviceService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "messaging:read", "read"), Access("key", "messaging:write", "write")
        one = "/api/devices/{id}"
        return [
            Route("POST", "/api/devices", self._register, write.audited("device.create", "device.update"),
                  "Register a device, or say what is new about one that is known (200)", body=NewDevice,
                  returns=Device, status=201, also={200: Device}),
            Route("GET", "/api/devices", self._list, read, "List devices, newest first",
                  query=DeviceQuery, returns=Page[Device]),
            Route("GET", one, self._get, read, "One device", returns=Device),
            Route("DELETE", one, self._delete, write.audited("device.delete"), "Forget a device", status=204),
        ]  # fmt: skip

    async def _register(self, call: Call[NewDevice, Any]) -> Reply:
        device, is_new = await self._service.register(call.caller, call.body)
        return Reply(device, status=201 if is_new else 200)

    async def _list(self, call: Call[Any, DeviceQuery]) -> Page[Device]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda device: device.id)

    async def _get(self, call: Call[Any, Any]) -> Device:
        return await self._service.get(call.path["id"])

    async def _delete(self, call: Call[Any, Any]) -> None:
        await self._service.delete(call.caller, call.path["id"])
