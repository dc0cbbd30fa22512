"""Objects as S3 has them: stored, read, copied, deleted."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from ogel.features.storage.buckets.service import BucketService
from ogel.features.storage.errors import StorageError
from ogel.features.storage.objects.moving import ObjectCopier, Place
from ogel.features.storage.objects.object import StoredObject
from ogel.features.storage.objects.object import facts_of as copied_facts
from ogel.features.storage.objects.reading import Found, ObjectReader
from ogel.features.storage.objects.removing import ObjectRemover
from ogel.features.storage.objects.writing import ObjectWriter
from ogel.features.storage.s3.asked import Asked, check_bucket
from ogel.features.storage.s3.bodies import Bodies
from ogel.features.storage.s3.buckets import xml
from ogel.features.storage.s3.errors import invalid_argument
from ogel.features.storage.s3.headers import described, facts_of, media_type_of, overrides, write_conditions
from ogel.features.storage.s3.times import iso
from ogel.features.storage.s3.uploads.upload import MOST_PARTS
from ogel.features.storage.s3.xml import Child, document, malformed, parsed_in_turn
from ogel.kernel.principal import Caller
from ogel.runtime.http.ranges import Validators, unmet
from ogel.runtime.http.route import Chunks, Content, Reply, Text

MOST_DELETED = 1000
_MOST_DELETE_BYTES = 2 * 1024 * 1024
_CHECKSUM = "x-amz-checksum-"
_COPY_CONDITIONS = {
    b"x-amz-copy-source-if-match": b"if-match",
    b"x-amz-copy-source-if-none-match": b"if-none-match",
    b"x-amz-copy-source-if-modified-since": b"if-modified-since",
    b"x-amz-copy-source-if-unmodified-since": b"if-unmodified-since",
}


class ObjectOperations:
    def __init__(
        self,
        buckets: BucketService,
        reader: ObjectReader,
        writer: ObjectWriter,
        copier: ObjectCopier,
        remover: ObjectRemover,
        bodies: Bodies,
    ) -> None:
        self._buckets = buckets
        self._reader = reader
        self._writer = writer
        self._copier = copier
        self._remover = remover
        self._bodies = bodies

    async def put(self, asked: Asked) -> Reply:
        headers = asked.call.headers
        payload = await self._bodies.payload(asked.call)
        conditions = write_conditions(headers)
        try:
            stored = await self._writer.put(
                asked.caller,
                asked.bucket,
                asked.key,
                payload,
                facts_of(headers),
                length=payload.length,
                upsert=True,
                conditions=conditions,
            )
        except StorageError as error:
            if error.code == "PreconditionFailed" and conditions.if_match is not None:
                await self._open(asked)  # S3 has NoSuchKey for what is not there to match
            raise
        said = {_CHECKSUM + name: value for name, value in payload.checksums.items()}
        return Reply(None, 200, headers={"etag": stored.etag, **said})

    async def get(self, asked: Asked) -> Reply:
        found = await self._open(asked)
        object = found.object
        said = overrides(asked.parameters)
        media_type = said.pop("content-type", media_type_of(object))
        headers = {**described(object, media_type), **said}
        if asked.call.header("x-amz-checksum-mode") == "ENABLED" and asked.call.header("range") is None:
            headers.update(_checksum(object))
        number = asked.number("partNumber", 1, 1, MOST_PARTS)
        if number > max(1, len(found.blobs)):
            raise StorageError(400, "InvalidPart", f"The object has {len(found.blobs)} parts.")
        if "partNumber" in asked.parameters and len(found.blobs) > 1:
            return _part(found, number, media_type, headers)
        validators = Validators(object.etag, object.updated_at)
        content = Content(object.size, media_type, found.read, validators, object.sha256)
        return Reply(content, headers=headers)

    async def attributes(self, asked: Asked) -> Reply:
        found = await self._open(asked)
        object = found.object
        wanted = {name.strip() for name in (asked.call.header("x-amz-object-attributes") or "").split(",")}
        if wanted == {""}:
            raise invalid_argument("x-amz-object-attributes says none of the attributes that there are.")
        count = len(found.blobs)
        checksum = None if object.sha256 is None else _base64(object.sha256)
        known: Sequence[Child] = [
            ("ETag", object.etag.strip('"')),
            ("Checksum", None if checksum is None else [("ChecksumSHA256", checksum)]),
            ("ObjectParts", [("TotalPartsCount", count)] if "-" in object.etag else None),
            ("StorageClass", "STANDARD"),
            ("ObjectSize", object.size),
        ]
        body = document("GetObjectAttributesResponse", [each for each in known if each[0] in wanted])
        modified = Validators(object.etag, object.updated_at).last_modified or ""
        return Reply(xml(body), headers={"last-modified": modified})

    async def tagging(self, asked: Asked) -> Text:
        """An object has no tags; some programs ask before they copy one."""
        await self._open(asked)
        return xml(document("Tagging", [("TagSet", [])]))

    async def copy(self, asked: Asked) -> Text:
        source = await self.source(asked)
        headers = asked.call.headers
        directive = (asked.call.header("x-amz-metadata-directive") or "COPY").upper()
        if directive not in ("COPY", "REPLACE"):
            raise invalid_argument("x-amz-metadata-directive takes COPY or REPLACE.")
        stored = await self._copier.copy(
            asked.caller,
            Place(source.object.bucket_id, source.object.name),
            Place(asked.bucket, asked.key),
            facts=copied_facts if directive == "COPY" else lambda _: facts_of(headers),
            upsert=True,
            conditions=write_conditions(headers),
        )
        modified = iso(stored.updated_at)
        return xml(document("CopyObjectResult", [("ETag", stored.etag), ("LastModified", modified)]))

    async def source(self, asked: Asked) -> Found:
        """What is to be copied. Raises StorageError NoSuchKey, AccessDenied, PreconditionFailed."""
        header = asked.call.headers.get(b"x-amz-copy-source", b"")
        path, _, version = header.partition(b"?versionId=")
        try:
            bucket, _, key = unquote_to_bytes(path).decode().removeprefix("/").partition("/")
        except UnicodeDecodeError as error:
            raise invalid_argument("x-amz-copy-source is not valid UTF-8.") from error
        if not bucket or not key:
            raise invalid_argument("x-amz-copy-source is not written BUCKET/KEY.")
        check_version(version.decode("latin-1") or None)
        check_bucket(asked.caller.principal, bucket)
        found = await self._reader.open(asked.caller.principal, bucket, key)
        conditions = {
            name: asked.call.headers[sent]
            for sent, name in _COPY_CONDITIONS.items()
            if sent in asked.call.headers
        }
        if unmet(conditions, Validators(found.object.etag, found.object.updated_at)) is not None:
            raise StorageError(412, "PreconditionFailed", "It is not the version that was asked for.")
        return found

    async def delete(self, asked: Asked) -> None:
        check_version(asked.parameters.get("versionId"))
        try:
            await self._remover.remove_one(
                asked.caller, asked.bucket, asked.key, write_conditions(asked.call.headers)
            )
        except StorageError as error:
            if error.code != "NoSuchKey":
                raise
            await self._buckets.get(asked.caller, asked.bucket)

    async def delete_many(self, asked: Asked) -> Text:
        body = await self._bodies.read(asked.call, _MOST_DELETE_BYTES)
        request = await parsed_in_turn(body, "Delete")
        keys = [each.exact("Key") or "" for each in request.all("Object")]
        if not 0 < len(keys) <= MOST_DELETED:
            raise malformed(f"A request deletes 1 to {MOST_DELETED} objects.")
        await self._buckets.get(asked.caller, asked.bucket)
        removed = await self._remover.remove(asked.caller, asked.bucket, keys)
        gone = {each.name for each in removed}
        left = [
            key
            for key in dict.fromkeys(keys)
            if key not in gone and await self._is_visible(asked.caller, asked.bucket, key)
        ]
        quiet = (request.value("Quiet") or "").lower() == "true"
        told: list[Child] = [
            ("Deleted", [("Key", key)]) for key in dict.fromkeys(keys) if not quiet and key not in left
        ]
        told += [
            ("Error", [("Key", key), ("Code", "AccessDenied"), ("Message", "Access denied")]) for key in left
        ]
        return xml(document("DeleteResult", told))

    async def _open(self, asked: Asked) -> Found:
        check_version(asked.parameters.get("versionId"))
        return await self._reader.open(asked.caller.principal, asked.bucket, asked.key)

    async def _is_visible(self, caller: Caller, bucket: str, key: str) -> bool:
        """Whether what was not deleted is there nevertheless."""
        if caller.principal.kind != "user":
            return False
        try:
            await self._reader.open(caller.principal, bucket, key)
        except StorageError:
            return False
        return True


def check_version(version: str | None) -> None:
    """Raises StorageError NoSuchVersion: an object has one version, which S3 calls `null`."""
    if version not in (None, "null"):
        raise StorageError(404, "NoSuchVersion", "There is no such version.")


def _part(found: Found, number: int, media_type: str, headers: dict[str, str]) -> Reply:
    """One of the parts that an object came in."""
    first = sum(blob.size for blob in found.blobs[: number - 1])
    end = first + found.blobs[number - 1].size
    validators = Validators(found.object.etag, found.object.updated_at)
    headers = {
        **headers,
        "etag": found.object.etag,
        "last-modified": validators.last_modified or "",
        "accept-ranges": "bytes",
        "content-range": f"bytes {first}-{end - 1}/{found.object.size}",
        "x-amz-mp-parts-count": str(len(found.blobs)),
    }
    return Reply(Chunks(found.read(first, end), media_type, end - first), 206, headers)


def _checksum(object: StoredObject) -> dict[str, str]:
    if object.sha256 is None:
        return {}
    return {f"{_CHECKSUM}sha256": _base64(object.sha256), f"{_CHECKSUM}type": "FULL_OBJECT"}


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()
