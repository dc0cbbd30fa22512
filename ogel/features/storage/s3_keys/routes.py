"""/api/s3-keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.storage.s3_keys.key import S3_KEYS_READ, S3_KEYS_WRITE, MadeS3Key, NewS3Key, S3Key
from ogel.features.storage.s3_keys.service import S3KeyService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route


class S3KeyRoutes:
    def __init__(self, service: S3KeyService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", S3_KEYS_READ, "read"), Access("key", S3_KEYS_WRITE, "write")
        all, one = "/api/s3-keys", "/api/s3-keys/{id}"
        return [
            Route("POST", all, self._create, write.audited("s3_key.create"),
                  "Make an S3 key; the answer alone shows its secret", body=NewS3Key, returns=MadeS3Key,
                  status=201),
            Route("GET", all, self._list, read, "List S3 keys, newest first; revoked ones too",
                  query=PageQuery, returns=Page[S3Key]),
            Route("GET", one, self._get, read, "One S3 key, and not its secret", returns=S3Key),
            Route("DELETE", one, self._revoke, write.audited("s3_key.revoke"), "End an S3 key", status=204),
        ]  # fmt: skip

    async def _create(self, call: Call[NewS3Key, Any]) -> MadeS3Key:
        return await self._service.make(call.caller, call.body)

    async def _list(self, call: Call[Any, PageQuery]) -> Page[S3Key]:
        query = call.query
        after = decode_cursor(query.after, str) if query.after else None
        return page(
            await self._service.page(after, query.limit + 1), query.limit, lambda each: each.access_key_id
        )

    async def _get(self, call: Call[Any, Any]) -> S3Key:
        return await self._service.get(call.path["id"])

    async def _revoke(self, call: Call[Any, Any]) -> None:
        await self._service.revoke(call.caller, call.path["id"])
