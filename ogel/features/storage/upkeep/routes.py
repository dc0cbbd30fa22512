"""`POST /api/storage/gc` and `/verify`: work that goes on behind the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.storage.policy import WRITE
from ogel.features.storage.upkeep.service import Begun, Due, Upkeep, Verification
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class UpkeepRoutes:
    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    async def gc(self, call: Call[Any, Any]) -> Due:
        return await self._upkeep.gc(call.caller)

    async def verify(self, call: Call[Verification | None, Any]) -> Begun:
        return await self._upkeep.verify(call.caller, call.body or Verification())

    def routes(self) -> Sequence[Route]:
        write = Access("key", WRITE, "write")
        return [
            Route("POST", "/api/storage/gc", self.gc, write.audited("storage.gc"),
                  "Have what nobody wants any more deleted now", returns=Due, status=202),
            Route("POST", "/api/storage/verify", self.verify, write.audited("storage.verify"),
                  "Have the store compared with what is known of it", body=Verification,
                  body_optional=True, returns=Begun, status=202),
        ]  # fmt: skip
