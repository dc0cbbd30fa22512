"""`GET /object/…`: the bytes of objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

import msgspec

from ogel.features.storage.errors import NO_SUCH_BUCKET, StorageError
from ogel.features.storage.serving import ObjectServing, Wish
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Reply, Route

if TYPE_CHECKING:
    from ogel.features.storage.objects.reading import ObjectReader


# A part of paths, and a name of buckets.
PUBLIC = "public"
# Of UTF-8, escaped.
_ESCAPED = re.compile(r"%[89A-Fa-f][0-9A-Fa-f]")


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """
    `download` is the name to save it under (empty: its own), `v` the ETag that a URL was made for, `redirect` whether
    to be sent to the store.
    """

    download: str | None = None
    v: str | None = None
    redirect: Literal["0", "1"] | None = None

    def wish(self, *, public: bool = False) -> Wish:
        redirect = None if self.redirect is None else self.redirect == "1"
        return Wish(public, saved_as(self.download), self.v, redirect=redirect)


class DownloadRoutes:
    def __init__(self, reader: ObjectReader, serving: ObjectServing) -> None:
        self._reader = reader
        self._serving = serving

    async def download(self, call: Call[Any, Wanted]) -> Reply:
        """Who is nobody in particular gets what is in public buckets."""
        found = await self._reader.open(call.principal, call.path["bucket"], call.path["name"])
        return await self._serving.reply(found, call.query.wish())

    async def download_public(self, call: Call[Any, Wanted]) -> Reply:
        """Or, in a bucket that is called `public` itself, what is in a folder there."""
        bucket, name = call.path["bucket"], call.path["name"]
        try:
            found = await self._reader.open_public(bucket, name)
        except StorageError as error:
            if error.code != NO_SUCH_BUCKET:
                raise
            found = await self._reader.open(call.principal, PUBLIC, f"{bucket}/{name}")
            return await self._serving.reply(found, call.query.wish())
        return await self._serving.reply(found, call.query.wish(public=True))

    def routes(self) -> Sequence[Route]:
        ways = [
            ("/object/{bucket}/{name:path}", self.download, Access("anyone", None, "read")),
            ("/object/authenticated/{bucket}/{name:path}", self.download, Access("known", None, "read")),
            ("/object/public/{bucket}/{name:path}", self.download_public, Access("anyone", None, "read")),
        ]
        return [
            Route("GET", path, handler, access=access, summary="The content of an object", query=Wanted)
            for path, handler, access in ways
        ]


def saved_as(download: str | None) -> str | None:
    """The name to save an object under. storage-js escapes names twice, and they would be saved as `%C3%BC.txt`."""
    if download is None or not _ESCAPED.search(download):
        return download
    try:
        return unquote(download, errors="strict")
    except UnicodeDecodeError:
        return download
