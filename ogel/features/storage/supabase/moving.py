"""`POST /object/move` and `/copy`, and objects deleted, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ogel.features.storage.conditional import conditions_of
from ogel.features.storage.errors import NO_SUCH_BUCKET, StorageError, no_related_resource
from ogel.features.storage.objects.moving import ObjectCopier, ObjectMover, Place
from ogel.features.storage.objects.object import Facts, StoredObject, facts_of
from ogel.features.storage.objects.removing import ObjectRemover
from ogel.features.storage.supabase.uploads import check_content_type
from ogel.features.storage.supabase.user_metadata import user_metadata_of
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

_WRITE = Access("known", None, "write")
_MANY_BYTES = 1024 * 1024


class _Move(Struct):
    bucket: str = msgspec.field(name="bucketId")
    source: str = msgspec.field(name="sourceKey")
    target: str = msgspec.field(name="destinationKey")
    target_bucket: str | None = msgspec.field(default=None, name="destinationBucket")

    @property
    def places(self) -> tuple[Place, Place]:
        return Place(self.bucket, self.source), Place(self.target_bucket or self.bucket, self.target)


class _Said(Struct, frozen=True):
    cache_control: str | None = msgspec.field(default=None, name="cacheControl")
    content_type: str | None = msgspec.field(default=None, name="mimetype")


class _Copy(_Move):
    copies_metadata: bool = msgspec.field(default=True, name="copyMetadata")
    metadata: _Said = _Said()


class _Many(Struct):
    names: Annotated[list[str], Meta(min_length=1)] = msgspec.field(name="prefixes")


class MoveRoutes:
    def __init__(self, mover: ObjectMover, copier: ObjectCopier, remover: ObjectRemover) -> None:
        self._mover = mover
        self._copier = copier
        self._remover = remover

    async def move(self, call: Call[_Move, Any]) -> dict[str, str]:
        try:
            await self._mover.move(call.caller, *call.body.places)
        except StorageError as error:
            raise _told(error) from error
        return {"message": "Successfully moved"}

    async def copy(self, call: Call[_Copy, Any]) -> dict[str, Any]:
        wanted, said = call.body, call.body.metadata

        if said.content_type:
            check_content_type(said.content_type)

        def facts(found: StoredObject) -> Facts:
            if wanted.copies_metadata:
                return facts_of(found)
            return Facts(
                said.content_type or found.content_type,
                said.cache_control or found.cache_control,
                user_metadata_of(call.header("x-metadata")),
            )

        try:
            stored = await self._copier.copy(
                call.caller, *wanted.places, facts=facts, upsert=call.header("x-upsert") == "true"
            )
        except StorageError as error:
            raise _told(error) from error
        return {"Key": f"{stored.bucket_id}/{stored.name}", "Id": str(stored.id), **_shown(stored)}

    async def delete(self, call: Call[Any, Any]) -> dict[str, str]:
        bucket, name = call.path["bucket"], call.path["name"]
        await self._remover.remove_one(call.caller, bucket, name, conditions_of(call.headers))
        return {"message": "Successfully deleted"}

    async def delete_many(self, call: Call[_Many, Any]) -> list[dict[str, Any]]:
        removed = await self._remover.remove(call.caller, call.path["bucket"], call.body.names)
        return [_shown(each) for each in removed]

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "POST",
                "/object/move",
                self.move,
                access=_WRITE,
                summary="Gives an object another name",
                body=_Move,
            ),
            Route("POST", "/object/copy", self.copy, access=_WRITE, summary="Copies an object", body=_Copy),
            Route(
                "DELETE",
                "/object/{bucket}/{name:path}",
                self.delete,
                access=_WRITE,
                summary="Deletes an object",
            ),
            Route(
                "DELETE",
                "/object/{bucket}",
                self.delete_many,
                access=_WRITE.taking(_MANY_BYTES),
                summary="Deletes objects",
                body=_Many,
            ),
        ]


def _told(error: StorageError) -> StorageError:
    """Its clients know a missing target by another name."""
    return no_related_resource() if error.code == NO_SUCH_BUCKET else error


def _shown(stored: StoredObject) -> dict[str, Any]:
    """As clients know rows; ids of owners are texts, empty for keys."""
    owner = stored.owner_id or ""
    return {
        "name": stored.name,
        "bucket_id": stored.bucket_id,
        "owner": owner,
        "owner_id": owner,
        "version": stored.version,
        "id": stored.id,
        "updated_at": stored.updated_at,
        "created_at": stored.created_at,
        "last_accessed_at": stored.last_accessed_at,
        "metadata": stored.metadata,
        "user_metadata": stored.user_metadata,
    }
