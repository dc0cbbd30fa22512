"""The header fields of TUS 1.0.0, read strictly: what they say of an upload."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from ogel.features.storage.errors import StorageError, no_such_upload
from ogel.features.storage.lifecycle.ends import end_of
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.resumable.checksum import ALGORITHMS, Checksum, parse
from ogel.features.storage.resumable.upload import NewUpload, Said
from ogel.features.storage.supabase.uploads import check_content_type
from ogel.features.storage.supabase.user_metadata import read_user_metadata
from ogel.runtime.http.route import Call

VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "termination",
    "expiration",
    "checksum",
    "concatenation",
)
OFFSET_TYPE = "application/offset+octet-stream"
_METADATA_BYTES = 8192
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+")  # printable ASCII but spaces and commas
_NUMBER = re.compile(r"[0-9]{1,18}")
_DIGITS = re.compile(r"[0-9]{1,10}")

Header = Callable[[str], str | None]


def refused(status: int, message: str) -> StorageError:
    """For what is no request of TUS."""
    return StorageError(status, "InvalidRequest", message)


def check_version(header: Header) -> None:
    """Raises StorageError."""
    if (version := header("tus-resumable")) != VERSION:
        raise refused(412, "Tus-Resumable Required" if version is None else "Invalid tus-resumable")


def number(header: Header, name: str) -> int | None:
    """Raises StorageError."""
    if (text := header(name)) is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise refused(400, f"Invalid {name}")
    return int(text)


def checksum(header: Header) -> Checksum | None:
    """Raises StorageError."""
    if (text := header("upload-checksum")) is None:
        return None
    if (found := parse(text)) is None:
        raise refused(400, f"Invalid upload-checksum: one of {', '.join(ALGORITHMS)}, and base64")
    return found


def new_upload(call: Call[Any, Any]) -> tuple[NewUpload, list[UUID]]:
    """What is to be begun, and of a final upload the parts that it is made of. Raises StorageError."""
    header = call.header
    concat = header("upload-concat") or ""
    is_part, parts = concat == "partial", _parts(concat)
    length = _length(header, is_final=bool(parts))
    raw = header("upload-metadata")
    if raw is None and not is_part:
        raise refused(400, "Metadata header is required")
    metadata = {} if raw is None else metadata_of(raw)
    bucket, name = _place(metadata, is_part=is_part)
    said = Said(_facts(metadata), raw or "", concat)
    return NewUpload(bucket, name, length, said, header("x-upsert") == "true", is_part), parts


def _length(header: Header, *, is_final: bool) -> int | None:
    """None: it will be said later, or is that of the parts."""
    length, deferred = number(header, "upload-length"), header("upload-defer-length")
    if deferred not in (None, "1"):
        raise refused(400, "Invalid upload-defer-length")
    if is_final and (length is not None or deferred is not None):
        raise refused(400, "Invalid upload-length: a final upload has that of its parts")
    if not is_final and (length is None) == (deferred is None):
        raise refused(400, "Upload-Length or Upload-Defer-Length header required")
    return length


def _place(metadata: Mapping[str, bytes], *, is_part: bool) -> tuple[str | None, str | None]:
    """The bucket and the name; a part may leave out both."""
    bucket, name = _text(metadata, "bucketName"), _text(metadata, "objectName")
    if bucket and name:
        return bucket, name
    if is_part:
        return None, None
    if not bucket:
        raise StorageError(400, "InvalidBucketName", "Bucket name invalid")
    raise StorageError(400, "InvalidKey", "Invalid key: ")


def metadata_of(raw: str) -> Mapping[str, bytes]:
    """Reads `key base64,key2 base64,key3`. Raises StorageError."""
    found: dict[str, bytes] = {}
    if len(raw) > _METADATA_BYTES:
        raise refused(400, f"Invalid upload-metadata: it is longer than {_METADATA_BYTES} bytes")
    for pair in raw.split(","):
        key, _, encoded = pair.strip().partition(" ")
        try:
            value = a2b_base64(encoded, strict_mode=True)
        except ValueError as error:
            raise refused(400, "Invalid upload-metadata") from error
        if key in found or not _KEY.fullmatch(key):
            raise refused(400, "Invalid upload-metadata")
        found[key] = value
    return found


def _text(metadata: Mapping[str, bytes], key: str) -> str | None:
    try:
        return metadata[key].decode() if key in metadata else None
    except UnicodeDecodeError as error:
        raise refused(400, "Invalid upload-metadata") from error


def _facts(metadata: Mapping[str, bytes]) -> Facts:
    seconds = _text(metadata, "cacheControl") or ""
    kind = _text(metadata, "contentType") or "application/octet-stream"
    check_content_type(kind)
    return Facts(
        kind,
        f"max-age={int(seconds)}" if _DIGITS.fullmatch(seconds) else "no-cache",
        read_user_metadata(metadata.get("metadata")),
        end_of(_text(metadata, "expiresIn"), _text(metadata, "expiresAt")),
    )


def _parts(concat: str) -> list[UUID]:
    """The ids in `final;/files/a /files/b`. Raises StorageError."""
    if concat in ("", "partial"):
        return []
    kind, _, urls = concat.partition(";")
    if kind != "final" or not urls.strip():
        raise refused(400, "Invalid upload-concat")
    return [upload_id(url.partition("?")[0].rpartition("/")[2]) for url in urls.split()]


def upload_id(text: str) -> UUID:
    """Raises StorageError NoSuchUpload."""
    try:
        id = UUID(text)
    except ValueError as error:
        raise no_such_upload() from error
    if str(id) != text:  # other ways of writing it are none of ours
        raise no_such_upload()
    return id
