"""`/bucket`: buckets made, looked at, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ogel.features.storage.buckets.bucket import NewBucket
from ogel.features.storage.buckets.service import BucketService
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

_READ, _WRITE = Access("known", None, "read"), Access("known", None, "write")


class _Wanted(msgspec.Struct):
    name: str
    id: str | None = None
    public: bool = False


class BucketRoutes:
    def __init__(self, buckets: BucketService) -> None:
        self._buckets = buckets

    async def create(self, call: Call[_Wanted, Any]) -> dict[str, str]:
        wanted = call.body
        bucket = await self._buckets.create(call.caller, NewBucket(wanted.id or wanted.name, wanted.public))
        return {"name": bucket.id}

    async def delete(self, call: Call[Any, Any]) -> dict[str, str]:
        await self._buckets.delete(call.caller, call.path["bucket"])
        return {"message": "Successfully deleted"}

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "POST",
                "/bucket",
                self.create,
                access=_WRITE.audited("bucket.create"),
                summary="Makes a bucket",
                body=_Wanted,
            ),
            Route(
                "DELETE",
                "/bucket/{bucket}",
                self.delete,
                access=_WRITE.audited("bucket.delete"),
                summary="Deletes an empty bucket",
            ),
        ]
