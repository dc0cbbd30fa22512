"""/api/keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.keys.key import ApiKey, KeyRotation, MadeKey, NewKey
from ogel.features.keys.service import KeyService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route


class KeyRoutes:
    def __init__(self, service: KeyService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "keys:read", "read"), Access("key", "keys:write", "write")
        all, one = "/api/keys", "/api/keys/{id}"
        return [
            Route("POST", all, self._create, write.audited("key.create"),
                  "Make a key; the answer alone shows it", body=NewKey, returns=MadeKey, status=201),
            Route("GET", all, self._list, read, "List keys, newest first; ended ones too",
                  query=PageQuery, returns=Page[ApiKey]),
            Route("GET", one, self._get, read, "One key, and not its secret", returns=ApiKey),
            Route("POST", one + "/rotate", self._rotate, write.audited("key.rotate"),
                  "Make a key in its place; the old one works on for a while", body=KeyRotation,
                  body_optional=True, returns=MadeKey, status=201),
            Route("DELETE", one, self._revoke, write.audited("key.revoke"),
                  "End a key, and the streams that it opened", status=204),
        ]  # fmt: skip

    async def _create(self, call: Call[NewKey, Any]) -> MadeKey:
        return await self._service.make(call.caller, call.body)

    async def _list(self, call: Call[Any, PageQuery]) -> Page[ApiKey]:
        query = call.query
        after = decode_cursor(query.after, str) if query.after else None
        return page(await self._service.page(after, query.limit + 1), query.limit, lambda each: each.id)

    async def _get(self, call: Call[Any, Any]) -> ApiKey:
        return await self._service.get(call.path["id"])

    async def _rotate(self, call: Call[KeyRotation | None, Any]) -> MadeKey:
        return await self._service.rotate(call.caller, call.path["id"], call.body or KeyRotation())

    async def _revoke(self, call: Call[Any, Any]) -> None:
        await self._service.revoke(call.caller, call.path["id"])
