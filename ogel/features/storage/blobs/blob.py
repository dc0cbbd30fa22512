"""A blob: bytes under a key of ours, which says nothing of what users call them."""

from __future__ import annotations

from msgspec import Struct

from ogel.kernel.errors import Unavailable
from ogel.kernel.ids import random_uuid

# Everything below it in the store is ours, and is in `storage_blobs`.
PREFIX = "blobs/"


class Damaged(Unavailable):
    """What the store has is not what was stored."""

    title = "Damaged in the store"


class Blob(Struct, frozen=True):
    """`size` is what users stored; `sealed_key` is what it is encrypted with, sealed (None: it is not)."""

    key: str
    size: int
    md5: bytes | None = None
    sealed_key: bytes | None = None


class Intent(Struct, frozen=True):
    """A blob about to be written; its row is committed. Whoever holds it fills it and keeps it, or gives it up."""

    key: str
    sealed_key: bytes | None = None


class Filled(Struct, frozen=True):
    """A blob whose bytes are in the store, durably, and belong to nothing yet. `sha256` is None for a copy."""

    intent: Intent
    size: int
    md5: bytes
    sha256: bytes | None


class Held(Struct, frozen=True):
    """A filled blob that is a part of an upload, which is not an object yet."""

    key: str
    size: int
    md5: bytes
    sealed_key: bytes | None
    position: int

    @property
    def blob(self) -> Blob:
        return Blob(self.key, self.size, self.md5, self.sealed_key)


def new_key() -> str:
    name = random_uuid().hex
    return f"{PREFIX}{name[:2]}/{name}"
