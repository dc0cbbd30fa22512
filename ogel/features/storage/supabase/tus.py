"""The header fields of TUS 1.0.0, read strictly: what they say of an upload."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from ogel.features.storage.errors import StorageError, no_such_upload
from ogel.features.storage.lifecycle.ends import end_of
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.resumable.checksum import ALGORITHMS, Checksum, parse
from ogel.features.storage.resumable.upload import NewUpload, Said
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
    concat = header("upload-concat")
    is_part, parts = concat == "partial", _parts(concat)
    length, deferred = number(header, "upload-length"), header("upload-defer-length")
    if deferred not in (None, "1"):
        raise refused(400, "Invalid upload-defer-length")
    if parts:
        if length is not None or deferred is not None:
            raise refused(400, "Invalid upload-length: a final upload has that of its parts")
    elif (length is None) == (deferred is None):
        raise refused(400, "Upload-Length or Upload-Defer-Length header required")
    raw = header("upload-metadata")
    if raw is None and not is_part:
        raise StorageError(400, "InvalidRequest", "Metadata header is required")
    metadata = {} if raw is None else metadata_of(raw)
    bucket, name = _text(metadata, "bucketName"), _text(metadata, "objectName")
    if not is_part and not bucket:
        raise StorageError(400, "InvalidBucketName", "Bucket name invalid")
    if bucket and not name and not is_part:
        raise StorageError(400, "InvalidKey", "Invalid key: ")
    said = Said(_facts(metadata), raw or "", concat or "")
    homeless = is_part and not (bucket and name)
    return NewUpload(
        None if homeless else bucket,
        None if homeless else name,
        length,
        said,
        header("x-upsert") == "true",
        is_part,
    ), parts


def metadata_of(raw: str) -> Mapping[str, bytes]:
    """Reads `key base64,key2 base64,key3`. Raises StorageError."""
    found: dict[str, bytes] = {}
    if len(raw) > _METADATA_BYTES:
        raise refused(400, f"Invalid upload-metadata: it is longer than {_METADATA_BYTES} bytes")
    for pair in raw.split(","):
        key, space, encoded = pair.strip().partition(" ")
        try:
            value = a2b_base64(encoded, strict_mode=True) if encoded else b""
        except ValueError:
            value = None
        if (
            value is None
            or key in found
            or not _KEY.fullmatch(key)
            or (space and not encoded.strip() and encoded)
        ):
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
    return Facts(
        _text(metadata, "contentType") or "application/octet-stream",
        f"max-age={int(seconds)}" if _DIGITS.fullmatch(seconds) else "no-cache",
        _object(metadata.get("metadata", b"")),
        end_of(_text(metadata, "expiresIn"), _text(metadata, "expiresAt")),
    )


def _object(raw: bytes) -> Mapping[str, Any] | None:
    """As Supabase has it, what is no JSON object is left out."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _parts(concat: str | None) -> list[UUID]:
    """The ids in `final;/files/a /files/b`. Raises StorageError."""
    if concat in (None, "partial"):
        return []
    kind, _, urls = str(concat).partition(";")
    ids = (
        [upload_id(urlsplit(url).path.rpartition("/")[2]) for url in urls.split()] if kind == "final" else []
    )
    if not ids:
        raise refused(400, "Invalid upload-concat")
    return ids


def upload_id(text: str) -> UUID:
    """Raises StorageError NoSuchUpload."""
    try:
        id = UUID(text)
    except ValueError as error:
        raise no_such_upload() from error
    if str(id) != text:  # other ways of writing it are none of ours
        raise no_such_upload()
    return id
