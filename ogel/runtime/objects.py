"""Where objects are kept, as features see it: bytes under a key, whole or not there at all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from ogel.kernel.errors import Unavailable

# Parts joined by slashes, none of which begins with a dot: no key leads out of a directory, and none is hidden in it.
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_KEY_LENGTH = 512


class StoreFull(Unavailable):
    """There is no room for more; until somebody makes some, trying again does not help."""

    title = "No storage left"


class ObjectMissing(Exception):
    """There is no object under this key."""


class Written(Struct, frozen=True):
    """What a put has stored: `sha256` is in hexadecimal."""

    size: int
    sha256: str


class Entry(Struct, frozen=True):
    key: str
    size: int
    modified_at: datetime


class ObjectStore(Protocol):
    """
    Every method may raise Unavailable: the store is away, and the same may succeed later. Keys are those of
    `check_key`; ValueError for others.
    """

    async def put(self, key: str, content: AsyncIterable[bytes]) -> Written:
        """
        Replaces what was there. An object is seen by others when it is complete, and survives a crash from then on;
        a put that is broken off leaves what was there before. Raises StoreFull.
        """

    def get(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Its bytes, in pieces of any size. Raises ObjectMissing when entered."""

    async def stat(self, key: str) -> Entry | None: ...

    def list(self, prefix: str) -> AsyncIterator[Entry]:
        """Those whose keys begin with `prefix` (a key and a slash, or nothing), in no order."""

    async def delete(self, key: str) -> None:
        """Deleting what is not there changes nothing."""

    async def sweep(self, before: datetime) -> int:
        """Forgets what puts have left behind that were broken off and had begun before then. Returns how many."""

    async def close(self) -> None: ...


def check_key(key: str) -> str:
    if len(key) > _KEY_LENGTH or _KEY.fullmatch(key) is None:
        raise ValueError(f"{key[:80]!r} is no key: letters, digits, . _ - in parts joined by /")
    return key


def check_prefix(prefix: str) -> str:
    if prefix:
        check_key(prefix.removesuffix("/"))
        if not prefix.endswith("/"):
            raise ValueError(f"{prefix!r} does not end with /")
    return prefix


async def one(piece: bytes) -> AsyncIterator[bytes]:
    """What is in memory anyway, as content to put."""
    yield piece


async def read(store: ObjectStore, key: str, most: int) -> bytes:
    """A whole object. Raises ObjectMissing, and ValueError when it has more than `most` bytes."""
    pieces, size = [], 0
    async with store.get(key) as content:
        async for piece in content:
            size += len(piece)
            if size > most:
                raise ValueError(f"{key} has more than {most} bytes")
            pieces.append(piece)
    return b"".join(pieces)


async def delete_all(store: ObjectStore, prefix: str, but: tuple[str, ...] = ()) -> int:
    """All objects under a prefix, save those whose keys begin with one of `but`. Returns how many."""
    gone = 0
    async for entry in store.list(prefix):
        if not entry.key.startswith(but):
            await store.delete(entry.key)
            gone += 1
    return gone
