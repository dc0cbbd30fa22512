"""`/object/info/…`: what is known of objects, and whether they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from ogel.features.storage.errors import NO_SUCH_BUCKET, StorageError
from ogel.features.storage.serving import Wish, headers_of
from ogel.features.storage.supabase.downloads import PUBLIC
from ogel.runtime.http.access import Access
from ogel.runtime.http.ranges import Validators
from ogel.runtime.http.route import Call, Reply, Route

if TYPE_CHECKING:
    from ogel.features.storage.objects.object import StoredObject
    from ogel.features.storage.objects.reading import ObjectReader


class ObjectInfo(msgspec.Struct, frozen=True):
    """`metadata` is what clients wrote of it."""

    id: UUID
    name: str
    version: str
    bucket_id: str
    size: int
    content_type: str
    cache_control: str
    etag: str
    metadata: Mapping[str, Any] | None
    last_modified: datetime
    created_at: datetime


class InfoRoutes:
    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    async def info(self, call: Call[Any, Any]) -> Reply:
        bucket, name = call.path["bucket"], call.path["name"]
        return _told(await self._reader.find(call.principal, bucket, name), public=False)

    async def info_of_public(self, call: Call[Any, Any]) -> Reply:
        """Or, in a bucket that is called `public` itself, of what is in a folder there."""
        bucket, name = call.path["bucket"], call.path["name"]
        try:
            return _told(await self._reader.find_public(bucket, name), public=True)
        except StorageError as error:
            if error.code != NO_SUCH_BUCKET:
                raise
        return _told(await self._reader.find(call.principal, PUBLIC, f"{bucket}/{name}"), public=False)

    def routes(self) -> Sequence[Route]:
        ways = [
            ("/object/info/{bucket}/{name:path}", self.info, Access("anyone", None, "read")),
            ("/object/info/authenticated/{bucket}/{name:path}", self.info, Access("known", None, "read")),
            ("/object/info/public/{bucket}/{name:path}", self.info_of_public, Access("anyone", None, "read")),
        ]
        return [
            Route(
                "GET",
                path,
                handler,
                access=access,
                summary="What is known of an object",
                returns=ObjectInfo,
            )
            for path, handler, access in ways
        ]


def _told(found: StoredObject, *, public: bool) -> Reply:
    info = ObjectInfo(
        id=found.id,
        name=found.name,
        version=found.version,
        bucket_id=found.bucket_id,
        size=found.size,
        content_type=found.content_type,
        cache_control=found.cache_control,
        etag=found.etag,
        metadata=found.user_metadata,
        last_modified=found.updated_at,
        created_at=found.created_at,
    )
    headers = {"etag": found.etag, "cache-control": headers_of(found, Wish(public=public))["cache-control"]}
    if modified := Validators(found.etag, found.updated_at).last_modified:
        headers["last-modified"] = modified
    return Reply(info, headers=headers)
