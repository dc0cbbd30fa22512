"""`POST /object/list…`: what is in a bucket, by folder or by name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from unicodedata import normalize

import msgspec
from msgspec import Meta, Struct

from ogel.features.storage.errors import StorageError
from ogel.features.storage.objects.listing import Column, Listed, ObjectLister, Position
from ogel.kernel.errors import Malformed
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import decode_cursor, encode_cursor
from ogel.runtime.http.route import Call, Route

_ACCESS = Access("known", None, "read")
# Of a page: more than that is answered as if it had been asked for.
_MOST, _MOST_OF_WALK = 10_000, 1000

Order = Literal["asc", "desc"]
_OFFSET = Annotated[int, Meta(ge=0, le=2**31)]


class _Sorting(Struct, frozen=True):
    column: Column
    order: Order | None = None


class _Folder(Struct):
    prefix: str | None
    limit: Annotated[int, Meta(ge=1)] = 100
    offset: _OFFSET = 0
    search: str = ""
    sort: _Sorting = msgspec.field(default=_Sorting("name"), name="sortBy")


class _WalkSorting(Struct, frozen=True):
    column: Literal["name", "created_at", "updated_at"]
    order: Order | None = None


class _Walk(Struct):
    prefix: str = ""
    limit: Annotated[int, Meta(ge=1)] = 1000
    cursor: str = ""
    with_delimiter: bool = False
    sort: _WalkSorting = msgspec.field(default=_WalkSorting("name"), name="sortBy")


class ListRoutes:
    def __init__(self, lister: ObjectLister) -> None:
        self._lister = lister

    async def folder(self, call: Call[_Folder, Any]) -> list[dict[str, Any]]:
        wanted = call.body
        prefix = normalize("NFC", wanted.prefix or "")
        found = await self._lister.folder(
            call.principal,
            call.path["bucket"],
            prefix,
            search=wanted.search,
            column=wanted.sort.column,
            descending=wanted.sort.order == "desc",
            limit=min(wanted.limit, _MOST),
            offset=wanted.offset,
        )
        start = len(prefix) + (not prefix.endswith("/")) if prefix else 0
        return [{"name": each.name[start:], **_facts(each)} for each in found]

    async def walk(self, call: Call[_Walk, Any]) -> dict[str, Any]:
        wanted = call.body
        bucket, column, delimiter = (
            call.path["bucket"],
            wanted.sort.column,
            "/" if wanted.with_delimiter else "",
        )
        limit, descending = min(wanted.limit, _MOST_OF_WALK), wanted.sort.order == "desc"
        after = _position(wanted.cursor)
        if column == "name":
            page = await self._lister.walk(
                call.principal,
                bucket,
                prefix=wanted.prefix,
                delimiter=delimiter,
                after=after.name if after else "",
                limit=limit,
                descending=descending,
            )
        else:
            page = await self._lister.walk_by_time(
                call.principal,
                bucket,
                column,
                prefix=wanted.prefix,
                delimiter=delimiter,
                after=after,
                limit=limit,
                descending=descending,
            )
        answer: dict[str, Any] = {"hasNext": page.more}
        if page.more:
            last = page.entries[-1]
            time: datetime | None = None if column == "name" else getattr(last, column)
            answer["nextCursor"] = encode_cursor((last.name, time))
            answer["nextCursorKey"] = last.name.removesuffix("/") if last.is_folder else last.name
        # A key is what a name has behind its folder.
        start = normalize("NFC", wanted.prefix).rfind("/") + 1
        folders = [_keyed(each, start) for each in page.entries if each.is_folder]
        if column != "name":
            # They were sorted by one of these.
            for folder, each in zip(folders, (each for each in page.entries if each.is_folder), strict=True):
                folder |= {"created_at": each.created_at, "updated_at": each.updated_at}
        answer["folders"] = folders
        answer["objects"] = [
            _keyed(each, start) if delimiter else {"name": each.name, **_facts(each)}
            for each in page.entries
            if not each.is_folder
        ]
        return answer

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "POST",
                "/object/list/{bucket}",
                self.folder,
                access=_ACCESS,
                summary="What is in a folder",
                body=_Folder,
            ),
            Route(
                "POST",
                "/object/list-v2/{bucket}",
                self.walk,
                access=_ACCESS,
                summary="Objects whose names begin with a prefix, a page of them",
                body=_Walk,
            ),
        ]


def _facts(listed: Listed) -> dict[str, Any]:
    """Of a folder nothing is known."""
    names = ("id", "updated_at", "created_at", "last_accessed_at", "metadata")
    return {name: None if listed.is_folder else getattr(listed, name) for name in names}


def _keyed(listed: Listed, start: int) -> dict[str, Any]:
    key = listed.name.removesuffix("/") if listed.is_folder else listed.name
    return {"key": key[start:], "name": listed.name, **_facts(listed)}


def _position(cursor: str) -> Position | None:
    if not cursor:
        return None
    try:
        return Position(*decode_cursor(cursor, tuple[str, datetime | None]))
    except Malformed as error:
        raise StorageError(400, "InvalidParameter", "Invalid Parameter continuation token") from error
