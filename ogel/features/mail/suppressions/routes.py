"""/api/mail/suppressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.mail.suppressions.service import SuppressionService
from ogel.features.mail.suppressions.suppression import NewSuppression, Suppression
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route


class SuppressionRoutes:
    def __init__(self, service: SuppressionService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "mail:read", "read"), Access("key", "mail:write", "write")
        all = "/api/mail/suppressions"
        return [
            Route("GET", all, self._list, read, "List addresses that nothing is sent to",
                  query=PageQuery, returns=Page[Suppression]),
            Route("POST", all, self._add, write.audited("mail.suppress"),
                  "Send nothing to an address any more", body=NewSuppression, returns=Suppression,
                  status=201),
            Route("DELETE", f"{all}/{{address}}", self._remove, write.audited("mail.unsuppress"),
                  "Send to an address again", status=204),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, PageQuery]) -> Page[Suppression]:
        query = call.query
        after = decode_cursor(query.after, str) if query.after else None
        return page(await self._service.list(after, query.limit + 1), query.limit, lambda each: each.address)

    async def _add(self, call: Call[NewSuppression, Any]) -> Suppression:
        return await self._service.add(call.caller, call.body)

    async def _remove(self, call: Call[Any, Any]) -> None:
        await self._service.remove(call.caller, call.path["address"])
