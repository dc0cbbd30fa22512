"""`POST` and `PUT /object/…`: whole objects, as bytes or in a form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.storage.objects.object import Facts, StoredObject
from ogel.features.storage.objects.writing import ObjectWriter
from ogel.kernel.principal import Caller
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route, Streaming
from ogel.runtime.http.streamed import BodyStream


class UploadRoutes:
    def __init__(self, writer: ObjectWriter, most_bytes: int) -> None:
        self._writer = writer
        self._access = Access("known", None, "write").taking(most_bytes)

    async def create(self, call: Call[BodyStream, Any]) -> dict[str, str]:
        bucket, upsert = call.path["bucket"], call.header("x-upsert") == "true"
        stored = await take(call, self._writer, call.caller, bucket, call.path["name"], upsert=upsert)
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


async def take(
    call: Call[BodyStream, Any], writer: ObjectWriter, caller: Caller, bucket: str, name: str, *, upsert: bool
) -> StoredObject:
    """Stores the body of a call as that object, on behalf of that caller."""
    body = call.body
    facts = Facts(body.content_type or "application/octet-stream", call.header("cache-control") or "no-cache")
    return await writer.put(caller, bucket, name, body, facts, length=body.length, upsert=upsert)
