"""What others hear of objects and buckets."""

from __future__ import annotations

import msgspec

from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.objects.object import StoredObject
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id

OBJECT_CREATED, OBJECT_UPDATED, OBJECT_REMOVED = (
    "storage.object.created",
    "storage.object.updated",
    "storage.object.removed",
)
BUCKET_CREATED, BUCKET_UPDATED, BUCKET_DELETED = (
    "storage.bucket.created",
    "storage.bucket.updated",
    "storage.bucket.deleted",
)
EVENTS = {
    OBJECT_CREATED: "an object was stored under a name that was free, uploaded, copied or moved there",
    OBJECT_UPDATED: "an object has other content",
    OBJECT_REMOVED: "an object is gone: deleted, expired or moved elsewhere",
    BUCKET_CREATED: "a bucket was made",
    BUCKET_UPDATED: "a bucket's rules were changed",
    BUCKET_DELETED: "a bucket is gone",
}


def object_event(type: str, found: StoredObject) -> Event:
    data = {
        "id": found.id,
        "bucket": found.bucket_id,
        "name": found.name,
        "size": found.size,
        "content_type": found.content_type,
        "etag": found.etag,
        "version": found.version,
        "owner_id": found.owner_id,
    }
    return _event(type, f"{found.bucket_id}/{found.name}", data)


def bucket_event(type: str, bucket: Bucket) -> Event:
    return _event(type, bucket.id, {"id": bucket.id, "public": bucket.public})


def _event(type: str, subject: str, data: object) -> Event:
    return Event(new_id("evt"), type, msgspec.json.encode(data), subject, utc_now())
