"""POST /api/users/import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.imports.imported import ImportReport, ImportRequest
from ogel.features.accounts.imports.service import ImportService
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

_MOST_BYTES = 4 * 1024 * 1024


class ImportRoutes:
    def __init__(self, imports: ImportService) -> None:
        self._imports = imports

    def routes(self) -> Sequence[Route]:
        access = Access("key", "accounts:write", "write").audited("user.import").taking(_MOST_BYTES)
        return [
            Route("POST", "/api/users/import", self._take, access,
                  "Take users over from elsewhere; those who are there already stay as they are",
                  body=ImportRequest, returns=ImportReport),
        ]  # fmt: skip

    async def _take(self, call: Call[ImportRequest, Any]) -> ImportReport:
        return await self._imports.take(call.caller, call.body.users)
