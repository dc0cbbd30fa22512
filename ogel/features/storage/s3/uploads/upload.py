"""A multipart upload, and what has come of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ogel.features.storage.objects.object import Facts

MOST_PARTS = 10_000
# Of a part that is not the last one, as S3 has it.
LEAST_PART_BYTES = 5 * 1024 * 1024


class Upload(Struct, frozen=True):
    """`version` is that of its parts, and of the object that they become."""

    id: UUID
    bucket_id: str
    name: str
    version: str
    facts: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime

    @property
    def what_is_said(self) -> Facts:
        return msgspec.convert(self.facts, Facts)


class Part(Struct, frozen=True):
    number: int
    size: int
    md5: bytes
    stored_at: datetime

    @property
    def etag(self) -> str:
        """With its quotes."""
        return f'"{self.md5.hex()}"'


class Listed(Struct, frozen=True):
    """An upload as lists have it."""

    id: UUID
    name: str
    created_at: datetime
