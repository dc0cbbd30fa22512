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
OBJECT_CLEAN, OBJECT_INFECTED = "storage.object.clean", "storage.object.infected"
BUCKET_CREATED, BUCKET_UPDATED, BUCKET_DELETED = (
    "storage.bucket.created",
    "storage.bucket.updated",
    "storage.bucket.deleted",
)
EVENTS = {
    OBJECT_CREATED: "an object was stored under a name that was free, uploaded, copied or moved there",
    OBJECT_UPDATED: "an object has other content",
    OBJECT_REMOVED: "an object is gone: deleted, expired or moved elsewhere",
    OBJECT_CLEAN: "a scanner found nothing in an object, which can be read from now on",
    OBJECT_INFECTED: "a scanner found malware in an object, which nobody can read",
    BUCKET_CREATED: "a bucket was made",
    BUCKET_UPDATED: "a bucket's rules were changed",
    BUCKET_DELETED: "a bucket is gone",
}


def object_event(type: str, found: StoredObject) -> Event:
    return _event(type, f"{found.bucket_id}/{found.name}", _data_of(found))


def infected_event(found: StoredObject, malware: str) -> Event:
    """`malware` is what the scanner calls it."""
    data = {**_data_of(found), "malware": malware}
    return _event(OBJECT_INFECTED, f"{found.bucket_id}/{found.name}", data)


def _data_of(found: StoredObject) -> dict[str, object]:
    return {
        "id": found.id,
        "bucket": found.bucket_id,
        "name": found.name,
        "size": found.size,
        "content_type": found.content_type,
        "etag": found.etag,
        "version": found.version,
        "owner_id": found.owner_id,
    }


def bucket_event(type: str, bucket: Bucket) -> Event:
    return _event(type, bucket.id, {"id": bucket.id, "public": bucket.public})


def _event(type: str, subject: str, data: object) -> Event:
    return Event(new_id("evt"), type, msgspec.json.encode(data), subject, utc_now())
