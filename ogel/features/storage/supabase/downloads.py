"""`GET /object/…`: the bytes of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.storage.objects.reading import Found, ObjectReader
from ogel.runtime.http.access import Access
from ogel.runtime.http.ranges import Validators
from ogel.runtime.http.route import Call, Content, Reply, Route


class DownloadRoutes:
    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    async def download(self, call: Call[Any, Any]) -> Reply:
        return served(await self._reader.open(call.principal, call.path["bucket"], call.path["name"]))

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                "/object/authenticated/{bucket}/{name:path}",
                self.download,
                access=Access("known", None, "read"),
                summary="The content of an object",
            )
        ]


def served(found: Found) -> Reply:
    """An object as an answer, of which clients may ask for parts, or only when it has changed."""
    object = found.object
    validators = Validators(object.etag, object.updated_at)
    content = Content(object.size, object.content_type, found.read, validators)
    return Reply(content, headers={"cache-control": object.cache_control, "x-robots-tag": "none"})
