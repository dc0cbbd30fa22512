"""/api/storage/buckets: buckets with all that can be said of them, for keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from ogel.features.storage.buckets.bucket import Bucket, BucketChange, NewBucket
from ogel.features.storage.buckets.rules import LifecycleRule
from ogel.features.storage.buckets.service import BucketService
from ogel.features.storage.policy import READ, WRITE
from ogel.features.storage.quotas.service import QuotaService
from ogel.features.storage.quotas.store import Quota
from ogel.kernel.text import LINE_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Reply, Route

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE_PATTERN)]
Bytes = Annotated[int, Meta(ge=0, le=2**50)]
Types = Annotated[
    list[Annotated[str, Meta(max_length=255)]],
    Meta(max_length=100, description="`image/png`, `image/*`; empty: all."),
]
Permissions = Annotated[
    dict[str, Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=50)]],
    Meta(
        max_length=4,
        description="Roles by what they may do, besides your policies: "
        '`{"read": ["any"], "create": ["users"], "update": ["owner"], "delete": ["owner", "team:ID/admin"]}`.',
    ),
]
Lifecycle = Annotated[list[LifecycleRule], Meta(max_length=50)]


class BucketWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    public              everybody may download objects whose names they know.
    file_size_limit     bytes of an object; null: what the suite takes.
    quota_bytes         of all objects together; null: as much as there is.
    scanned             objects can be read once a scanner has found them clean.
    encrypted           objects are encrypted before they are stored.
    redirects           downloads are sent to the store, by a URL that is good for a while.
    """

    id: Name
    public: bool = False
    file_size_limit: Bytes | None = None
    allowed_mime_types: Types | None = None
    permissions: Permissions | None = None
    lifecycle: Lifecycle = []
    quota_bytes: Bytes | None = None
    scanned: bool = False
    encrypted: bool = False
    redirects: bool = False


class BucketChangeWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields that are left out stay as they are. What is stored already stays, whatever the rules are then."""

    public: bool | UnsetType = UNSET
    file_size_limit: Bytes | UnsetType | None = UNSET
    allowed_mime_types: Types | UnsetType | None = UNSET
    permissions: Permissions | UnsetType | None = UNSET
    lifecycle: Lifecycle | UnsetType = UNSET
    quota_bytes: Bytes | UnsetType | None = UNSET
    scanned: bool | UnsetType = UNSET
    encrypted: bool | UnsetType = UNSET
    redirects: bool | UnsetType = UNSET


class BucketInfo(Struct, frozen=True, kw_only=True):
    """
    `owner_id` is of the user who made it; null: a key did. `used_bytes` is counted where there is a quota, and nearly
    all at once: /api/storage/usage knows it of each bucket.
    """

    id: str
    owner_id: str | None
    public: bool
    file_size_limit: int | None
    allowed_mime_types: Sequence[str] | None
    permissions: dict[str, Sequence[str]] | None
    lifecycle: Sequence[dict[str, Any]]
    quota_bytes: int | None
    used_bytes: int | None
    scanned: bool
    encrypted: bool
    redirects: bool
    created_at: datetime
    updated_at: datetime


class Emptied(Struct, frozen=True):
    """`done`: nothing is left of what was there; false: a job goes on."""

    done: bool


class OwnBucketRoutes:
    def __init__(self, buckets: BucketService, quotas: QuotaService) -> None:
        self._buckets = buckets
        self._quotas = quotas

    async def create(self, call: Call[BucketWanted, Any]) -> BucketInfo:
        wanted = asdict(call.body)
        quota = wanted.pop("quota_bytes")
        bucket = await self._buckets.create(call.caller, NewBucket(**wanted), quota_bytes=quota)
        return await self._info(bucket)

    async def list(self, call: Call[Any, PageQuery]) -> Page[BucketInfo]:
        query = call.query
        after = decode_cursor(query.after, str) if query.after else None
        found = await self._buckets.list(call.caller, after=after, limit=query.limit + 1)
        quotas = await self._quotas.of_buckets([each.id for each in found])
        return page([info(each, quotas.get(each.id)) for each in found], query.limit, lambda each: each.id)

    async def get(self, call: Call[Any, Any]) -> BucketInfo:
        return await self._info(await self._buckets.get(call.caller, call.path["bucket"]))

    async def update(self, call: Call[BucketChangeWanted, Any]) -> BucketInfo:
        wanted = asdict(call.body)
        quota = wanted.pop("quota_bytes")
        bucket = await self._buckets.update(
            call.caller, call.path["bucket"], BucketChange(**wanted), quota_bytes=quota
        )
        return await self._info(bucket)

    async def delete(self, call: Call[Any, Any]) -> None:
        await self._buckets.delete(call.caller, call.path["bucket"])

    async def empty(self, call: Call[Any, Any]) -> Reply:
        done = await self._buckets.empty(call.caller, call.path["bucket"])
        return Reply(Emptied(done), status=200 if done else 202)

    async def _info(self, bucket: Bucket) -> BucketInfo:
        return info(bucket, (await self._quotas.of_buckets([bucket.id])).get(bucket.id))

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", READ, "read"), Access("key", WRITE, "write")
        all, one = "/api/storage/buckets", "/api/storage/buckets/{bucket}"
        return [
            Route("POST", all, self.create, write.audited("bucket.create"), "Make a bucket",
                  body=BucketWanted, returns=BucketInfo, status=201),
            Route("GET", all, self.list, read, "List buckets by their ids",
                  query=PageQuery, returns=Page[BucketInfo]),
            Route("GET", one, self.get, read, "One bucket", returns=BucketInfo),
            Route("PATCH", one, self.update, write.audited("bucket.update"), "Change the rules of a bucket",
                  body=BucketChangeWanted, returns=BucketInfo),
            Route("DELETE", one, self.delete, write.audited("bucket.delete"), "Delete an empty bucket",
                  status=204),
            Route("POST", one + "/empty", self.empty, write.audited("bucket.empty"),
                  "Delete all objects of a bucket; of many, the rest by a job",
                  returns=Emptied, also={202: Emptied}),
        ]  # fmt: skip


def info(bucket: Bucket, quota: Quota | None) -> BucketInfo:
    shared = set(BucketInfo.__struct_fields__) & set(Bucket.__struct_fields__)
    return BucketInfo(
        **{name: getattr(bucket, name) for name in shared},
        quota_bytes=None if quota is None else quota.max_bytes,
        used_bytes=None if quota is None else quota.used_bytes,
    )
