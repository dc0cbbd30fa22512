"""`GET /object/…`: the bytes of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.storage.objects.reading import ObjectReader
from ogel.features.storage.serving import Wish, served
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Reply, Route


class DownloadRoutes:
    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    async def download(self, call: Call[Any, Any]) -> Reply:
        return served(await self._reader.open(call.principal, call.path["bucket"], call.path["name"]), Wish())

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
