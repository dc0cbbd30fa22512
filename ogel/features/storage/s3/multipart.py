"""Multipart uploads as S3 has them: begun, filled part by part, completed or aborted, listed."""

from __future__ import annotations

import re

from ogel.features.storage.buckets.service import BucketService
from ogel.features.storage.errors import StorageError
from ogel.features.storage.s3.asked import Asked
from ogel.features.storage.s3.bodies import Bodies
from ogel.features.storage.s3.buckets import xml
from ogel.features.storage.s3.errors import invalid_argument
from ogel.features.storage.s3.headers import facts_of, write_conditions
from ogel.features.storage.s3.listing import encoder
from ogel.features.storage.s3.objects import ObjectOperations
from ogel.features.storage.s3.times import iso
from ogel.features.storage.s3.uploads.service import MultipartService
from ogel.features.storage.s3.uploads.upload import MOST_PARTS
from ogel.features.storage.s3.xml import Child, Element, document, malformed, parsed_in_turn
from ogel.runtime.http.route import Reply, Text

_MOST_LISTED = 1000
# Of a list of 10,000 parts, with checksums.
_MOST_COMPLETE_BYTES = 4 * 1024 * 1024
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})")
_CHECKSUM = "x-amz-checksum-"


class MultipartOperations:
    def __init__(
        self, buckets: BucketService, uploads: MultipartService, objects: ObjectOperations, bodies: Bodies
    ) -> None:
        self._buckets = buckets
        self._uploads = uploads
        self._objects = objects
        self._bodies = bodies

    async def begin(self, asked: Asked) -> Text:
        facts = facts_of(asked.call.headers)
        id = await self._uploads.begin(asked.caller, asked.bucket, asked.key, facts)
        body = [("Bucket", asked.bucket), ("Key", asked.key), ("UploadId", id)]
        return xml(document("InitiateMultipartUploadResult", body))

    async def put_part(self, asked: Asked) -> Reply:
        id, number = self._id(asked), self._number(asked)
        payload = await self._bodies.payload(asked.call)
        part = await self._uploads.put_part(
            asked.caller, asked.bucket, asked.key, id, number, payload, payload.length
        )
        said = {_CHECKSUM + name: value for name, value in payload.checksums.items()}
        return Reply(None, 200, headers={"etag": part.etag, **said})

    async def copy_part(self, asked: Asked) -> Text:
        id, number = self._id(asked), self._number(asked)
        source = await self._objects.source(asked)
        first, end = _range(asked.call.header("x-amz-copy-source-range"), source.object.size)
        content = source.read(first, end)
        part = await self._uploads.put_part(
            asked.caller, asked.bucket, asked.key, id, number, content, end - first
        )
        return xml(document("CopyPartResult", [("ETag", part.etag), ("LastModified", iso(part.stored_at))]))

    async def complete(self, asked: Asked) -> Text:
        body = await self._bodies.read(asked.call, _MOST_COMPLETE_BYTES)
        request = await parsed_in_turn(body, "CompleteMultipartUpload")
        wanted = [_wanted(part) for part in request.all("Part")]
        conditions = write_conditions(asked.call.headers)
        stored = await self._uploads.complete(
            asked.caller, asked.bucket, asked.key, self._id(asked), wanted, conditions
        )
        told = [
            ("Location", f"{asked.bucket}/{asked.key}"),
            ("Bucket", asked.bucket),
            ("Key", asked.key),
            ("ETag", stored.etag),
        ]
        return xml(document("CompleteMultipartUploadResult", told))

    async def abort(self, asked: Asked) -> None:
        await self._uploads.abort(asked.caller, asked.bucket, asked.key, self._id(asked))

    async def parts(self, asked: Asked) -> Text:
        id, after = self._id(asked), asked.number("part-number-marker", 0)
        most = min(asked.number("max-parts", _MOST_LISTED), _MOST_LISTED)
        found = await self._uploads.parts(asked.caller, asked.bucket, asked.key, id, after, most + 1)
        shown, more = found[:most], len(found) > most
        body: list[Child] = [
            ("Bucket", asked.bucket),
            ("Key", encoder(asked)(asked.key)),
            ("UploadId", id),
            ("PartNumberMarker", after or None),
            ("NextPartNumberMarker", shown[-1].number if more and shown else None),
            ("MaxParts", most),
            ("EncodingType", asked.parameters.get("encoding-type")),
            ("IsTruncated", more),
            ("StorageClass", "STANDARD"),
        ]
        for part in shown:
            said: list[Child] = [
                ("PartNumber", part.number),
                ("LastModified", iso(part.stored_at)),
                ("ETag", part.etag),
                ("Size", part.size),
            ]
            body.append(("Part", said))
        return xml(document("ListPartsResult", body))

    async def list(self, asked: Asked) -> Text:
        await self._buckets.get(asked.caller, asked.bucket)
        encode = encoder(asked)
        prefix, delimiter = asked.parameters.get("prefix", ""), asked.parameters.get("delimiter", "")
        marker, id_marker = (
            asked.parameters.get("key-marker", ""),
            asked.parameters.get("upload-id-marker", ""),
        )
        most = min(asked.number("max-uploads", _MOST_LISTED), _MOST_LISTED)
        found = await self._uploads.page(
            asked.caller, asked.bucket, prefix=prefix, after=marker, after_id=id_marker, limit=most + 1
        )
        shown, more = found[:most], len(found) > most and most > 0
        uploads: list[Child] = []
        prefixes = dict[str, None]()
        for upload in shown:
            folder, cut, _ = upload.name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if cut:
                prefixes[prefix + folder + cut] = None
                continue
            said: list[Child] = [
                ("Key", encode(upload.name)),
                ("UploadId", upload.id.hex),
                ("StorageClass", "STANDARD"),
                ("Initiated", iso(upload.created_at)),
            ]
            uploads.append(("Upload", said))
        body: list[Child] = [
            ("Bucket", asked.bucket),
            ("KeyMarker", encode(marker)),
            ("UploadIdMarker", id_marker or None),
            ("NextKeyMarker", encode(shown[-1].name) if more else None),
            ("NextUploadIdMarker", shown[-1].id.hex if more else None),
            ("Prefix", encode(prefix)),
            ("Delimiter", (delimiter and encode(delimiter)) or None),
            ("EncodingType", asked.parameters.get("encoding-type")),
            ("MaxUploads", most),
            ("IsTruncated", more),
            *uploads,
            *(("CommonPrefixes", [("Prefix", encode(each))]) for each in prefixes),
        ]
        return xml(document("ListMultipartUploadsResult", body))

    def _id(self, asked: Asked) -> str:
        return asked.parameters.get("uploadId", "")

    def _number(self, asked: Asked) -> int:
        """Raises StorageError InvalidArgument."""
        number = asked.number("partNumber", 0)
        if not 1 <= number <= MOST_PARTS:
            raise invalid_argument(f"partNumber takes 1 to {MOST_PARTS}.")
        return number


def _wanted(part: Element) -> tuple[int, str]:
    number, etag = part.value("PartNumber") or "", part.value("ETag")
    if not (number.isascii() and number.isdigit() and len(number) <= 5) or etag is None:
        raise malformed("A part has no PartNumber that is a number, or no ETag.")
    return int(number), etag


def _range(text: str | None, size: int) -> tuple[int, int]:
    """First byte and end (exclusive) of what is copied. Raises StorageError InvalidArgument, InvalidRange."""
    if text is None:
        return 0, size
    found = _RANGE.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise invalid_argument("x-amz-copy-source-range is not written bytes=FIRST-LAST.")
    if int(found[2]) >= size:
        raise StorageError(416, "InvalidRange", f"The range goes beyond the source, which has {size} bytes.")
    return int(found[1]), int(found[2]) + 1
