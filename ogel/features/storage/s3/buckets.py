"""Buckets as S3 has them: listed, made, looked at, deleted."""

from __future__ import annotations

from urllib.parse import quote

from ogel.features.storage.buckets.bucket import NewBucket
from ogel.features.storage.buckets.service import BucketService
from ogel.features.storage.errors import StorageError
from ogel.features.storage.s3.asked import Asked
from ogel.features.storage.s3.times import iso
from ogel.features.storage.s3.xml import document
from ogel.features.storage.s3_keys.service import BUCKETS
from ogel.runtime.http.route import Reply, Text

# Whatever a client calls it: there is one, and signatures for any other are as good.
REGION = "local"
_MOST_CONFIGURATION_BYTES = 64 * 1024


def xml(body: bytes) -> Text:
    return Text(body, "application/xml")


class BucketOperations:
    def __init__(self, buckets: BucketService) -> None:
        self._buckets = buckets

    async def list(self, asked: Asked) -> Text:
        only = asked.caller.principal.claims.get(BUCKETS)
        found = [
            bucket for bucket in await self._buckets.list(asked.caller) if only is None or bucket.id in only
        ]
        entries = [
            ("Bucket", [("Name", bucket.id), ("CreationDate", iso(bucket.created_at))]) for bucket in found
        ]
        return xml(document("ListAllMyBucketsResult", [("Buckets", entries)]))

    async def create(self, asked: Asked) -> Reply:
        await asked.call.body.read(_MOST_CONFIGURATION_BYTES)
        is_public = asked.call.header("x-amz-acl") in ("public-read", "public-read-write")
        try:
            await self._buckets.create(asked.caller, NewBucket(asked.bucket, is_public))
        except StorageError as error:
            if error.code == "BucketAlreadyExists" and asked.caller.principal.kind != "user":
                message = "The bucket is there already, and yours."
                raise StorageError(409, "BucketAlreadyOwnedByYou", message) from error
            raise
        return Reply(None, 200, headers={"location": f"/{quote(asked.bucket)}"})

    async def head(self, asked: Asked) -> Reply:
        await self._buckets.get(asked.caller, asked.bucket)
        return Reply(None, 200, headers={"x-amz-bucket-region": REGION})

    async def delete(self, asked: Asked) -> None:
        await self._buckets.delete(asked.caller, asked.bucket)

    async def location(self, asked: Asked) -> Text:
        await self._buckets.get(asked.caller, asked.bucket)
        return xml(document("LocationConstraint", REGION))

    async def versioning(self, asked: Asked) -> Text:
        await self._buckets.get(asked.caller, asked.bucket)
        return xml(document("VersioningConfiguration", [("Status", "Suspended"), ("MfaDelete", "Disabled")]))
