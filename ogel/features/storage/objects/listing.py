"""Lists objects: by names, in folders, by times; a page costs about what is on it, however much is in the bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from unicodedata import normalize
from uuid import UUID

from msgspec import Struct

from ogel.features.storage.objects.names import is_storable
from ogel.features.storage.policy import READ, on_behalf
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Database, Queries

Column = Literal["name", "created_at", "updated_at", "last_accessed_at"]

# Sorts behind all text that is sensibly the name of something.
_LAST = "\U0010ffff" * 4
# The next text that there could be, as no NUL can be in any.
_NEXT = "\x01"


class Listed(Struct, frozen=True):
    """
    An object; or a folder: what several names have in common, up to and with the delimiter (of a `folder`'s, without
    it). Its other fields are then those of one of the objects in it.
    """

    name: str
    is_folder: bool
    id: UUID
    metadata: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    last_accessed_at: datetime

    @property
    def size(self) -> int:
        return int(self.metadata.get("size", 0))

    @property
    def etag(self) -> str:
        """With its quotes."""
        return str(self.metadata.get("eTag", '""'))


class Position(Struct, frozen=True):
    """Where a page ended. `time`: of the column that it was sorted by; None: that was the name."""

    name: str
    time: datetime | None = None


class Walked(Struct, frozen=True):
    """`entries` are in their order; `more`: there are others behind the last of them."""

    entries: Sequence[Listed]
    more: bool

    @property
    def objects(self) -> Sequence[Listed]:
        return [entry for entry in self.entries if not entry.is_folder]

    @property
    def prefixes(self) -> Sequence[str]:
        return [entry.name for entry in self.entries if entry.is_folder]


def _queries(column: bytes, *, descending: bool) -> Queries:
    marks = (b"DESC", b"<", b"<") if descending else (b"ASC", b">=", b">")
    order, start, beyond = marks
    return Queries.beside(__name__, column=column, order=order, beyond=beyond, **{"from": start})


_SQL = {
    (column, descending): _queries(column.encode(), descending=descending)
    for column in ("created_at", "updated_at")
    for descending in (False, True)
}


class ObjectLister:
    """Of a bucket that is not there, or not for the principal, everything is an empty page."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def walk(
        self,
        principal: Principal,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        limit: int,
        descending: bool = False,
    ) -> Walked:
        """
        Objects whose names begin with `prefix`, sorted by the bytes of their names, behind the name or folder `after`.
        What has `delimiter` after the prefix counts as one folder.
        """
        prefix = normalize("NFC", prefix)
        past = delimiter if descending else _behind(delimiter)
        step = "" if descending else _NEXT
        parameters = {
            **_range(prefix, delimiter),
            "start": _start(prefix, delimiter, after, past, step) if after else _LAST if descending else "",
            "past": past,
            "step": step,
        }
        query = "grouped" if delimiter else "plain"
        found = await self._rows(principal, bucket, query, "created_at", descending, limit + 1, parameters)
        return Walked(found[:limit], len(found) > limit)

    async def walk_by_time(
        self,
        principal: Principal,
        bucket: str,
        column: Literal["created_at", "updated_at"],
        *,
        prefix: str = "",
        delimiter: str = "",
        after: Position | None = None,
        limit: int,
        descending: bool = False,
    ) -> Walked:
        """As `walk`, sorted by a time. With a delimiter it costs a look at all that begins with the prefix."""
        parameters = {
            **_range(normalize("NFC", prefix), delimiter),
            "time": after and after.time,
            "name": after and after.name,
        }
        query = "grouped_by_time" if delimiter else "by_time"
        found = await self._rows(principal, bucket, query, column, descending, limit + 1, parameters)
        return Walked(found[:limit], len(found) > limit)

    async def folder(
        self,
        principal: Principal,
        bucket: str,
        path: str,
        *,
        search: str = "",
        column: Column = "name",
        descending: bool = False,
        limit: int,
        offset: int = 0,
    ) -> Sequence[Listed]:
        """
        What is directly in a folder (`photos/2026`; empty: the bucket itself) and begins with `search`, in either case
        of the letters A to Z, sorted regardless of that case. Folders have no slash at their ends. `search` may go into
        folders below; sorted by a time, folders come first, and it costs a look at all that is directly in the folder.
        """
        path = normalize("NFC", path)
        within, slash, start = normalize("NFC", search).rpartition("/")
        inside = (path.removesuffix("/") + "/" if path else "") + within + slash
        above = f"{folded(inside[:-1])}/" if inside else ""
        low = above + _lower(start)
        high = _behind(low)
        parameters = {
            "low": low,
            "high": high,
            "start": high if descending else low,
            "before": len(above),
            "shown": len(inside),
            "past": "/" if descending else "0",
            "step": "" if descending else _NEXT,
            "column": column,
            "most": offset + limit if column == "name" else 2**31 - 1,
            "offset": offset,
        }
        return await self._rows(principal, bucket, "folder", "created_at", descending, limit, parameters)

    async def _rows(
        self,
        principal: Principal,
        bucket: str,
        query: str,
        column: str,
        descending: bool,
        limit: int,
        parameters: Mapping[str, Any],
    ) -> Sequence[Listed]:
        sent = {"bucket": bucket, "limit": limit, **parameters}
        if not all(is_storable(value) for value in sent.values() if isinstance(value, str)):
            return []
        sql: bytes = getattr(_SQL[column, descending], query)
        async with self._database.transaction() as tx, on_behalf(tx, principal, READ):
            return await tx.all(sql, sent, Listed)


def folded(path: str) -> str:
    """As the database's `storage_folded`, whose values sort as folders are listed."""
    return "/".join(f"{_lower(segment)}\x01{segment}" for segment in path.split("/"))


def _lower(text: str) -> str:
    """Of the letters A to Z alone, whose order no locale and no new version of Unicode changes."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _behind(text: str) -> str:
    """The first text that sorts behind all that begin with `text`, by code points."""
    head, last = text[:-1], text[-1:]
    if not text:
        return _LAST
    if last == "\U0010ffff":
        return _behind(head)
    return head + ("\ue000" if last == "\ud7ff" else chr(ord(last) + 1))


def _range(prefix: str, delimiter: str) -> Mapping[str, Any]:
    """Of the names that begin with the prefix."""
    within: dict[str, Any] = {"low": prefix, "high": _behind(prefix)}
    # `at`, where the delimiter begins, counts from 1.
    return {**within, "before": len(prefix) - 1, "delimiter": delimiter} if delimiter else within


def _start(prefix: str, delimiter: str, after: str, past: str, step: str) -> str:
    """Where a page goes on: behind a name, or behind a folder's last (descending: before its first)."""
    at = after.find(delimiter, len(prefix)) if delimiter and after.startswith(prefix) else -1
    return after + step if at < 0 else after[:at] + past
