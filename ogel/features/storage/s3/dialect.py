"""The dialect of S3: routes, and what is asked of each by a parameter or a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ogel.features.storage.s3.asked import Asked, Operation, handled_by
from ogel.features.storage.s3.bodies import Bodies
from ogel.features.storage.s3.buckets import BucketOperations
from ogel.features.storage.s3.credentials import signed
from ogel.features.storage.s3.errors import render_error
from ogel.features.storage.s3.forms import FormOperations
from ogel.features.storage.s3.listing import ListOperations
from ogel.features.storage.s3.multipart import MultipartOperations
from ogel.features.storage.s3.objects import ObjectOperations
from ogel.features.storage.s3.payload import OVERHEAD, OVERHEAD_BYTES
from ogel.runtime.http.access import Access, Who
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.input import Pairs
from ogel.runtime.http.route import Route, Streaming

if TYPE_CHECKING:
    from ogel.features.storage.services import Storage

# The second one is where clients of Supabase look for it.
PREFIXES = ("/s3", "/storage/v1/s3")
_EXPOSED = (
    "ETag",
    "Content-Range",
    "Content-Disposition",
    "x-amz-checksum-sha256",
    "x-amz-mp-parts-count",
)

_AUDITED = {"PUT": ("bucket.create",), "DELETE": ("bucket.delete",)}


def dialects(storage: Storage) -> Sequence[Dialect]:
    routes = list(_routes(storage))
    return [
        Dialect(
            name="s3" if prefix == PREFIXES[0] else "s3 of storage",
            prefix=prefix,
            render_error=render_error,
            credentials=(signed,),
            strict_parameters=False,
            cors=Cors(exposed=_EXPOSED),
            routes=routes,
            host=(storage.settings.s3_host or "") if prefix == PREFIXES[0] else "",
        )
        for prefix in PREFIXES
    ]


def _routes(storage: Storage) -> Sequence[Route]:
    authentication = storage.core.features["storage.s3_keys"].offers.authentication
    bodies = Bodies(authentication)
    buckets = BucketOperations(storage.buckets)
    lists = ListOperations(storage.buckets, storage.lister)
    objects = ObjectOperations(
        storage.buckets, storage.reader, storage.writer, storage.copier, storage.remover, bodies
    )
    multipart = MultipartOperations(storage.buckets, storage.s3_uploads, objects, bodies)
    forms = FormOperations(authentication, storage.writer)
    most = int(storage.settings.most_bytes * OVERHEAD) + OVERHEAD_BYTES
    of_bucket: Mapping[str, Mapping[str, Operation]] = {
        "GET": {
            "": lists.list,
            "location": buckets.location,
            "uploads": multipart.list,
            "versioning": buckets.versioning,
        },
        "HEAD": {"": buckets.head},
        "PUT": {"": buckets.create},
        "DELETE": {"": buckets.delete},
        "POST": {"": forms.post, "delete": objects.delete_many},
    }
    of_object: Mapping[str, Mapping[str, Operation]] = {
        "GET": {
            "": objects.get,
            "attributes": objects.attributes,
            "tagging": objects.tagging,
            "uploadId": multipart.parts,
        },
        "PUT": {
            "": objects.put,
            "copy": objects.copy,
            "uploadId": multipart.put_part,
            "copy to part": multipart.copy_part,
        },
        "DELETE": {"": objects.delete, "uploadId": multipart.abort},
        "POST": {"uploads": multipart.begin, "uploadId": multipart.complete},
    }
    return [
        *(_route("GET", path, {"": buckets.list}, "Lists buckets") for path in ("", "/")),
        *(
            _route(method, path, operations, "A bucket", most, _AUDITED.get(method, ()))
            for path in ("/{bucket}", "/{bucket}/")
            for method, operations in of_bucket.items()
        ),
        *(
            _route(method, "/{bucket}/{key:path}", operations, "An object", most)
            for method, operations in of_object.items()
        ),
    ]


def _route(
    method: str,
    path: str,
    operations: Mapping[str, Operation],
    summary: str,
    most: int | None = None,
    audited: Sequence[str] = (),
) -> Route:
    # A form brings its signature among its fields; who comes without one is refused by what else is posted.
    who: Who = "anyone" if (method, path) in (("POST", "/{bucket}"), ("POST", "/{bucket}/")) else "known"
    access = Access(who, None, "read" if method in ("GET", "HEAD") else "write").taking(most)
    access = access.audited(*audited)
    body = Streaming() if method in ("PUT", "POST") else None
    handler = handled_by(operations, _by_header)
    return Route(method, path, handler, access, summary, body=body, query=Pairs)


def _by_header(asked: Asked) -> str | None:
    """What a copy is asked for by."""
    if b"x-amz-copy-source" not in asked.call.headers:
        return None
    return "copy to part" if "uploadId" in asked.parameters else "copy"
