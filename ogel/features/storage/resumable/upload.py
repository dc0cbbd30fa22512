"""An upload that comes in several requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from ogel.features.storage.objects.object import Facts
from ogel.features.storage.policy import WRITE, is_operator, owner_of
from ogel.kernel.principal import SERVICE, Principal

# partial  it is only there to be put together with others.
# final    it was put together of others.
Concat = Literal["partial", "final"]


class Said(Struct, frozen=True):
    """
    What whoever began an upload said of the object. `metadata` and `concat` are header fields as they came, which are
    asked for again.
    """

    facts: Facts
    metadata: str = ""
    concat: str = ""


class Upload(Struct, frozen=True):
    """
    bucket_id, name  where the object goes; None: a part that did not say.
    owner_id, role   as whom who began it writes: nobody else may go on with it.
    version          of the object that it will be.
    length           bytes in all; None: not known yet.
    received         bytes that are stored for good: the next ones follow them.
    upsert           what is of that name may be replaced.
    finished_at      when it became an object.
    """

    id: UUID
    bucket_id: str | None
    name: str | None
    owner_id: str | None
    role: str | None
    version: str
    length: int | None
    received: int
    upsert: bool
    facts: Mapping[str, Any]
    concat: Concat | None
    finished_at: datetime | None
    created_at: datetime
    expires_at: datetime

    @property
    def said(self) -> Said:
        return msgspec.convert(self.facts, Said, strict=False)

    @property
    def is_whole(self) -> bool:
        return self.length == self.received

    @property
    def is_ready(self) -> bool:
        """Whether an object can be made of it, and has not been."""
        return self.is_whole and self.finished_at is None and self.concat is None

    def is_of(self, principal: Principal) -> bool:
        return (self.owner_id, self.role) == writer(principal)


class NewUpload(Struct, frozen=True):
    """As `Upload`. Only a part may leave out where it goes."""

    bucket: str | None
    name: str | None
    length: int | None
    said: Said
    upsert: bool = False
    is_part: bool = False


def writer(principal: Principal) -> tuple[str | None, str | None]:
    """The owner and the role of what a principal uploads; all keys for which no policy holds are one."""
    return owner_of(principal), SERVICE if is_operator(principal, WRITE) else principal.role
