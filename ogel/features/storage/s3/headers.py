"""What is said of an object in headers: as S3's clients send it, and as they read it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from ogel.features.storage.conditional import conditions_of
from ogel.features.storage.errors import StorageError
from ogel.features.storage.objects.conditions import Conditions
from ogel.features.storage.objects.object import HEADERS, Facts, StoredObject
from ogel.features.storage.s3.errors import invalid_argument, not_implemented
from ogel.features.storage.serving import Wish, headers_of

_META = "x-amz-meta-"
# As S3 has it: names and values together.
_MOST_METADATA_BYTES = 2048
_MOST_HEADER_BYTES = 1024
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_UNSAYABLE = re.compile(r"[^\x20-\x7e\x80-\xff]")
# What a signed request may have said differently, by the parameter's name.
_OVERRIDES = {
    "response-content-type": "content-type",
    "response-content-language": "content-language",
    "response-expires": "expires",
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
}


def facts_of(headers: Mapping[bytes, bytes]) -> Facts:
    """Raises StorageError MetadataTooLarge, InvalidStorageClass, InvalidArgument."""
    storage_class = _text(headers, b"x-amz-storage-class")
    if storage_class not in (None, "STANDARD"):
        raise StorageError(400, "InvalidStorageClass", "The only storage class here is STANDARD.")
    metadata = {
        name.decode().removeprefix(_META): _decoded(value)
        for name, value in headers.items()
        if name.startswith(_META.encode())
    }
    if sum(len(name) + len(value.encode()) for name, value in metadata.items()) > _MOST_METADATA_BYTES:
        message = f"The metadata has more than {_MOST_METADATA_BYTES} bytes."
        raise StorageError(400, "MetadataTooLarge", message)
    said = {name: _said(headers, header) for name, header in HEADERS.items()}
    return Facts(
        _text(headers, b"content-type") or Facts().content_type,
        _text(headers, b"cache-control") or Facts().cache_control,
        metadata or None,
        headers={name: value for name, value in said.items() if value},
    )


def _said(headers: Mapping[bytes, bytes], header: str) -> str:
    """Without what is said of the body on its way only. Raises StorageError InvalidArgument."""
    value = _text(headers, header.encode()) or ""
    if not _PLAIN.fullmatch(value) or len(value) > _MOST_HEADER_BYTES:
        raise invalid_argument(f"{header} takes {_MOST_HEADER_BYTES} visible ASCII characters at most.")
    if header != "content-encoding":
        return value
    kept = (each.strip() for each in value.split(","))
    return ", ".join(each for each in kept if each.lower() not in ("aws-chunked", "identity", ""))


def write_conditions(headers: Mapping[bytes, bytes]) -> Conditions:
    """Raises StorageError NotImplemented for conditions that S3 has of reads alone."""
    if b"if-modified-since" in headers or b"if-unmodified-since" in headers:
        raise not_implemented("Writing by a time of change")
    return conditions_of(headers)


def described(object: StoredObject, media_type: str) -> dict[str, str]:
    """
    Headers of what it is, besides those that any answer with content has. URLs that are signed are opened by browsers,
    too, which must not run what is served as `media_type`.
    """
    shown = structs.replace(object, metadata={**object.metadata, "mimetype": media_type})
    headers = dict(headers_of(shown, Wish(public=True)))
    if expires := object.metadata.get("expires"):
        headers["expires"] = _UNSAYABLE.sub("", str(expires))
    for name, value in _metadata(object.user_metadata or {}):
        headers[_META + name] = value
    return headers


def media_type_of(object: StoredObject) -> str:
    """What can be said in a header of what somebody called it."""
    return _UNSAYABLE.sub("", object.content_type).strip() or Facts().content_type


def overrides(parameters: Mapping[str, str]) -> dict[str, str]:
    """Raises StorageError InvalidArgument."""
    found = {}
    for parameter, header in _OVERRIDES.items():
        if (value := parameters.get(parameter)) is not None:
            if not _PLAIN.fullmatch(value):
                raise invalid_argument(f"{parameter} takes visible ASCII characters.")
            found[header] = value
    return found


def _metadata(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of it can be said in headers: others may have written any JSON."""
    for name, value in metadata.items():
        if _NAME.fullmatch(name) and isinstance(value, (str, int, float)):
            yield name.lower(), _encoded(str(value))


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return str(value, "latin-1")


def _encoded(text: str) -> str:
    """As S3 writes what is not ASCII (RFC 2047)."""
    if _PLAIN.fullmatch(text):
        return text
    return f"=?UTF-8?B?{base64.b64encode(text.encode(errors='replace')).decode()}?="


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else _decoded(value).strip()
