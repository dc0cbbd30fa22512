"""A direct upload."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ogel.features.storage.objects.object import Facts
from ogel.features.storage.resumable.upload import writer
from ogel.kernel.principal import Principal


class Said(Struct, frozen=True):
    """`key` is the blob that the URL leads to, which no object ever consists of."""

    facts: Facts
    key: str


class DirectUpload(Struct, frozen=True):
    id: UUID
    bucket_id: str
    name: str
    owner_id: str | None
    role: str | None
    version: str
    length: int
    upsert: bool
    facts: Mapping[str, Any]
    finished_at: datetime | None

    @property
    def said(self) -> Said:
        return msgspec.convert(self.facts, Said, strict=False)

    def is_of(self, principal: Principal) -> bool:
        return (self.owner_id, self.role) == writer(principal)
