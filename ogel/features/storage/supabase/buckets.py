"""`/bucket`: buckets made, looked at, changed, emptied and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ogel.features.storage.buckets.bucket import Bucket, BucketChange, NewBucket
from ogel.features.storage.supabase.sizes import bytes_of
from ogel.kernel.errors import Invalid
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

if TYPE_CHECKING:
    from ogel.features.storage.buckets.service import BucketService

_READ, _WRITE = Access("known", None, "read"), Access("known", None, "write")
_LIMIT = "body.file_size_limit"
_MOST_LISTED = 10_000
# They read it, whether it is done or goes on.
_EMPTIED = "Empty bucket has been queued. Completion may take up to an hour."


class Wanted(msgspec.Struct, frozen=True):
    """`file_size_limit` in bytes or as `20MB`; one type may come without a list."""

    name: str
    id: str | None = None
    public: bool = False
    type: Literal["STANDARD"] = "STANDARD"
    file_size_limit: int | str | None = None
    allowed_mime_types: Sequence[str] | str | None = None


class Change(msgspec.Struct, frozen=True):
    """As `Wanted`; what is not named stays as it is."""

    public: bool | UnsetType | None = UNSET
    file_size_limit: int | str | UnsetType | None = UNSET
    allowed_mime_types: Sequence[str] | str | UnsetType | None = UNSET


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`search` is part of a name, in upper or lower case."""

    limit: Annotated[int, Meta(ge=1, le=_MOST_LISTED)] = _MOST_LISTED
    offset: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    sort_column: Literal["id", "name", "created_at", "updated_at"] = msgspec.field(
        default="created_at", name="sortColumn"
    )
    sort_order: Literal["asc", "desc"] = msgspec.field(default="asc", name="sortOrder")
    search: str = ""


class Told(msgspec.Struct, frozen=True):
    """`owner` is the id of the user who made it; empty: a key did."""

    id: str
    name: str
    owner: str
    public: bool
    file_size_limit: int | None
    allowed_mime_types: Sequence[str] | None
    created_at: datetime
    updated_at: datetime


class ToldInList(Told, frozen=True):
    type: str


class BucketRoutes:
    def __init__(self, buckets: BucketService) -> None:
        self._buckets = buckets

    async def create(self, call: Call[Wanted, Any]) -> dict[str, str]:
        wanted = call.body
        new = NewBucket(
            id=wanted.id or wanted.name,
            name=wanted.name,
            public=wanted.public,
            file_size_limit=bytes_of(wanted.file_size_limit, _LIMIT),
            allowed_mime_types=_types(wanted.allowed_mime_types),
            type=wanted.type,
        )
        return {"name": (await self._buckets.create(call.caller, new)).name}

    async def list(self, call: Call[Any, Listed]) -> list[ToldInList]:
        query = call.query
        found = await self._buckets.list(
            call.caller,
            search=query.search,
            column=query.sort_column,
            descending=query.sort_order == "desc",
            limit=query.limit,
            offset=query.offset,
        )
        return [ToldInList(**_fields(each), type=each.type) for each in found]

    async def get(self, call: Call[Any, Any]) -> Told:
        return Told(**_fields(await self._buckets.get(call.caller, call.path["bucket"])))

    async def update(self, call: Call[Change, Any]) -> dict[str, str]:
        said = call.body
        if said == Change():
            raise Invalid.field("body", "must have one of public, file_size_limit, allowed_mime_types")
        limit, types = said.file_size_limit, said.allowed_mime_types
        change = BucketChange(
            public=UNSET if said.public is None else said.public,
            file_size_limit=UNSET if limit is UNSET else bytes_of(limit, _LIMIT),
            allowed_mime_types=UNSET if types is UNSET else _types(types),
        )
        await self._buckets.update(call.caller, call.path["bucket"], change)
        return {"message": "Successfully updated"}

    async def empty(self, call: Call[Any, Any]) -> dict[str, str]:
        await self._buckets.empty(call.caller, call.path["bucket"])
        return {"message": _EMPTIED}

    async def delete(self, call: Call[Any, Any]) -> dict[str, str]:
        await self._buckets.delete(call.caller, call.path["bucket"])
        return {"message": "Successfully deleted"}

    def routes(self) -> Sequence[Route]:
        return [
            *self._of_all("/bucket"),
            *self._of_all("/bucket/"),
            Route(
                "GET",
                "/bucket/{bucket}",
                self.get,
                access=_READ,
                summary="What is known of a bucket",
                returns=Told,
            ),
            Route(
                "PUT",
                "/bucket/{bucket}",
                self.update,
                access=_WRITE.audited("bucket.update"),
                summary="Changes a bucket",
                body=Change,
                returns=dict[str, str],
            ),
            Route(
                "POST",
                "/bucket/{bucket}/empty",
                self.empty,
                access=_WRITE.audited("bucket.empty"),
                summary="Deletes all objects of a bucket",
                returns=dict[str, str],
            ),
            Route(
                "DELETE",
                "/bucket/{bucket}",
                self.delete,
                access=_WRITE.audited("bucket.delete"),
                summary="Deletes an empty bucket",
                returns=dict[str, str],
            ),
        ]

    def _of_all(self, path: str) -> Sequence[Route]:
        return [
            Route(
                "POST",
                path,
                self.create,
                access=_WRITE.audited("bucket.create"),
                summary="Makes a bucket",
                body=Wanted,
                returns=dict[str, str],
            ),
            Route(
                "GET",
                path,
                self.list,
                access=_READ,
                summary="Lists buckets",
                query=Listed,
                returns=list[ToldInList],
            ),
        ]


def _types(said: Sequence[str] | str | None) -> Sequence[str] | None:
    return [said] if isinstance(said, str) else said


def _fields(bucket: Bucket) -> Mapping[str, Any]:
    return {
        "id": bucket.id,
        "name": bucket.name,
        "owner": bucket.owner_id or "",
        "public": bucket.public,
        "file_size_limit": bucket.file_size_limit,
        "allowed_mime_types": bucket.allowed_mime_types,
        "created_at": bucket.created_at,
        "updated_at": bucket.updated_at,
    }
