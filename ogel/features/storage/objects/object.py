"""An object: what is known of it without reading it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from ogel.kernel.clock import utc_now

_NOT_IN_HEADERS = re.compile(r"[^\x20-\x7e\xa0-\xff]")
_MOST_HEADER_CHARACTERS = 1024
ScanState = Literal["none", "pending", "clean", "infected", "failed"]


class StoredObject(Struct, frozen=True):
    """
    owner_id  of the user who wrote it last; None: a key did.
    version   changes with the content; its blobs have it.
    metadata  in the shape of Supabase: eTag (quoted), size, mimetype, cacheControl, lastModified, contentLength,
              httpStatusCode.
    sha256    of the whole content; None: it came in parts.
    """

    id: UUID
    bucket_id: str
    name: str
    owner: UUID | None
    owner_id: str | None
    version: str
    metadata: Mapping[str, Any]
    user_metadata: Mapping[str, Any] | None
    sha256: bytes | None
    scan_state: ScanState
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    last_accessed_at: datetime

    @property
    def size(self) -> int:
        return int(self.metadata.get("size", 0))

    @property
    def etag(self) -> str:
        """With its quotes."""
        return self._header("eTag") or '""'

    @property
    def content_type(self) -> str:
        return self._header("mimetype") or "application/octet-stream"

    @property
    def cache_control(self) -> str:
        return self._header("cacheControl") or "no-cache"

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= utc_now()

    def _header(self, name: str) -> str:
        """
        What was said of it may be any text, by SQL as well: what no header can hold is left out, and what is so long
        that a proxy would refuse the answer.
        """
        text = str(self.metadata.get(name) or "")
        if len(text) > _MOST_HEADER_CHARACTERS:
            return ""
        return (text if text.isascii() and text.isprintable() else _NOT_IN_HEADERS.sub("", text)).strip()


class Facts(Struct, frozen=True):
    """
    What whoever stores an object says of it. `cache_control` is a whole header: `max-age=3600`; `headers` are others
    that downloads have, by their names in `metadata`: see HEADERS.
    """

    content_type: str = "application/octet-stream"
    cache_control: str = "no-cache"
    user_metadata: Mapping[str, Any] | None = None
    expires_at: datetime | None = None
    headers: Mapping[str, str] = {}


# What is said of an object in headers, by its name in `metadata`.
HEADERS: Mapping[str, str] = {
    "contentDisposition": "content-disposition",
    "contentEncoding": "content-encoding",
    "contentLanguage": "content-language",
    "expires": "expires",
}


def facts_of(found: StoredObject) -> Facts:
    """Of a copy, what was said of the original, but when it ends."""
    headers = {name: found.metadata[name] for name in HEADERS if name in found.metadata}
    return Facts(found.content_type, found.cache_control, found.user_metadata, headers=headers)
