"""Object storage as features see it: bytes under a key, stored completely or not at all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from ogel.kernel.errors import Unavailable

# Parts joined by slashes, none of which begins with a dot: no key can leave a directory, and none is hidden in one.
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_KEY_LENGTH = 512


class StoreFull(Unavailable):
    """The store is full; repeating does not help until somebody makes room."""

    title = "No storage left"


class ObjectMissing(Exception):
    """No object has this key."""


class Written(Struct, frozen=True):
    """The result of a put; the digests, of all its bytes, are hexadecimal."""

    size: int
    sha256: str
    md5: str


class Entry(Struct, frozen=True):
    """`etag` is the store's own, without quotes: of what came in one request usually its MD5. None: it has none."""

    key: str
    size: int
    modified_at: datetime
    etag: str | None = None


class ObjectStore(Protocol):
    """
    Object storage. Every method may raise Unavailable: the store is away, and a repetition may succeed. Keys must pass
    `check_key`; others raise ValueError. `in_bucket`: it is one of S3's kind, and not a disk of this machine's.
    """

    in_bucket: bool

    async def put(self, key: str, content: AsyncIterable[bytes], length: int | None = None) -> Written:
        """
        Stores an object, replacing any other under the key. It becomes visible when it is complete, and survives a
        crash from then on; a put that is broken off leaves the former object. `length`, where it is known, lets a store
        refuse at once what it has no room for. Raises StoreFull.
        """

    def get(
        self, key: str, first: int = 0, end: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """
        Opens an object and yields the bytes from `first` up to `end` (None: to the last) in pieces of any size; what
        lies behind its last byte is empty. Raises ObjectMissing on entering the block.
        """

    async def copy(self, source: str, target: str) -> None:
        """
        Stores an object under another key too, without its bytes passing through here, as visible and as safe as after
        a put. Raises ObjectMissing, StoreFull.
        """

    def presigned_get(
        self, key: str, seconds: int, *, content_type: str | None = None, disposition: str | None = None
    ) -> str | None:
        """
        Returns a URL where anybody may read the object for so long, which answers with the given headers. None: this
        store has no such thing.
        """

    def presigned_put(
        self, key: str, seconds: int, length: int, *, content_type: str | None = None
    ) -> str | None:
        """
        Returns a URL where anybody may put the object, of exactly that many bytes, and with that content type if one is
        given, for so long. None: this store has no such thing.
        """

    async def stat(self, key: str) -> Entry | None: ...

    def list(self, prefix: str) -> AsyncIterator[Entry]:
        """
        Yields the objects whose keys begin with `prefix` (a key and a slash, or nothing), those of one directory in the
        order of their keys; what is stored or deleted meanwhile may be among them.
        """

    async def delete(self, key: str) -> None:
        """Deletes an object; a missing one is no error."""

    async def sweep(self, prefix: str, before: datetime) -> int:
        """
        Deletes the remains of puts under the prefix that began before then and were broken off. Returns how many. Where
        they have no keys yet, those of all are.
        """

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
    """Yields bytes that are in memory, as content for `put`."""
    yield piece


async def read(store: ObjectStore, key: str, most: int) -> bytes:
    """Reads a whole object. Raises ObjectMissing, and ValueError when it is larger than `most` bytes."""
    pieces, size = [], 0
    async with store.get(key) as content:
        async for piece in content:
            size += len(piece)
            if size > most:
                raise ValueError(f"{key} has more than {most} bytes")
            pieces.append(piece)
    return b"".join(pieces)


async def delete_all(store: ObjectStore, prefix: str, but: tuple[str, ...] = ()) -> int:
    """Deletes all objects under a prefix, except those whose keys begin with one of `but`. Returns how many."""
    gone = 0
    async for entry in store.list(prefix):
        if not entry.key.startswith(but):
            await store.delete(entry.key)
            gone += 1
    return gone
