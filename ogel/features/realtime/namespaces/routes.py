"""/api/realtime/namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.realtime.namespaces.namespace import Namespace, NamespaceRules
from ogel.features.realtime.namespaces.service import NamespaceService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page
from ogel.runtime.http.route import Call, Route


class NamespaceRoutes:
    def __init__(self, service: NamespaceService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "realtime:read", "read"), Access("key", "realtime:write", "write")
        all, one = "/api/realtime/namespaces", "/api/realtime/namespaces/{name}"
        return [
            Route("GET", all, self._list, read, "List namespaces", returns=Page[Namespace]),
            Route("PUT", one, self._put, write.audited("realtime_namespace.set"),
                  "Set the rules of channels NAME:…; `default` is for all others",
                  body=NamespaceRules, returns=Namespace),
            Route("DELETE", one, self._delete, write.audited("realtime_namespace.delete"),
                  "End the rules of a namespace: the default ones hold for its channels", status=204),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, Any]) -> Page[Namespace]:
        return Page(list(await self._service.all()), None)

    async def _put(self, call: Call[NamespaceRules, Any]) -> Namespace:
        return await self._service.put(call.caller, call.path["name"], call.body)

    async def _delete(self, call: Call[Any, Any]) -> None:
        await self._service.delete(call.caller, call.path["name"])
