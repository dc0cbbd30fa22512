"""`GET /api/storage/usage`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.storage.policy import READ
from ogel.features.storage.usage.service import StorageUsage, UsageService
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class UsageRoutes:
    def __init__(self, service: UsageService) -> None:
        self._service = service

    async def usage(self, call: Call[Any, Any]) -> StorageUsage:
        return await self._service.usage()

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/api/storage/usage", self.usage, Access("key", READ, "read"),
                  "How much is stored, by bucket", returns=StorageUsage, name="get_storage_usage"),
        ]  # fmt: skip
