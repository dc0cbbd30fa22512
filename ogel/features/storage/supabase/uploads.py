"""`POST` and `PUT /object/…`: whole objects, as bytes or in a form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.storage.objects.object import Facts
from ogel.features.storage.objects.writing import ObjectWriter
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route, Streaming
from ogel.runtime.http.streamed import BodyStream


class UploadRoutes:
    def __init__(self, writer: ObjectWriter, most_bytes: int) -> None:
        self._writer = writer
        self._access = Access("known", None, "write").taking(most_bytes)

    async def create(self, call: Call[BodyStream, Any]) -> dict[str, str]:
        upsert = call.header("x-upsert") == "true"
        return await self._put(call, upsert=upsert)

    async def _put(self, call: Call[BodyStream, Any], *, upsert: bool) -> dict[str, str]:
        bucket, body = call.path["bucket"], call.body
        facts = Facts(body.content_type or "application/octet-stream")
        stored = await self._writer.put(
            call.caller, bucket, call.path["name"], body, facts, length=body.length, upsert=upsert
        )
        return {"Key": f"{bucket}/{stored.name}", "Id": str(stored.id)}

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "POST",
                "/object/{bucket}/{name:path}",
                self.create,
                access=self._access,
                summary="Stores an object",
                body=Streaming(checked=True),
            )
        ]
