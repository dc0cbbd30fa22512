"""`POST /api/storage/gc`: work that goes on behind the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.storage.policy import WRITE
from ogel.features.storage.upkeep.service import Due, Upkeep
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class UpkeepRoutes:
    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    async def gc(self, call: Call[Any, Any]) -> Due:
        return await self._upkeep.gc(call.caller)

    def routes(self) -> Sequence[Route]:
        write = Access("key", WRITE, "write")
        return [
            Route("POST", "/api/storage/gc", self.gc, write.audited("storage.gc"),
                  "Have what nobody wants any more deleted now", returns=Due, status=202),
        ]  # fmt: skip
