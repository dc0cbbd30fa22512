"""
Encryption of blobs: AES-256-GCM in frames, so that any part can be read alone and none can be changed unnoticed.

A blob has a key of its own. Frame n, of 64 KiB of what was stored (the last one: of what is left, perhaps nothing), is
encrypted under the nonce `n` (11 bytes, big-endian) and 1 byte that is 1 for the last frame alone. So none can be moved
to another place or another blob, left out, or put behind the end, and an end that is cut off is not the last frame.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import TYPE_CHECKING

from ogel.features.storage.blobs.blob import Damaged

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FRAME_BYTES = 64 * 1024
TAG_BYTES = 16
_KEY_BYTES = 32
# What is less is encrypted where it is; more goes to a thread.
_AT_ONCE_BYTES = 4 * FRAME_BYTES


def key_purpose(blob_key: str) -> str:
    """What the vault seals a blob's key for."""
    return f"storage blob {blob_key}"


def new_secret() -> bytes:
    return os.urandom(_KEY_BYTES)


def stored_size(size: int) -> int:
    return size + TAG_BYTES * _frames_of(size)


class Encrypting:
    """Encrypts what goes by, and knows what it was: its size and digests."""

    def __init__(self, secret: bytes) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._cipher = _cipher(secret)
        self._rest = bytearray()
        self._number = 0

    async def encrypted(self, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        batch: list[bytes] = []
        length = 0
        async for piece in content:
            batch.append(piece)
            length += len(piece)
            if length >= _AT_ONCE_BYTES:
                yield await asyncio.to_thread(self._next, batch, False)
                batch, length = [], 0
        yield self._next(batch, True)

    def _next(self, batch: Sequence[bytes], is_end: bool) -> bytes:
        for piece in batch:
            self.size += len(piece)
            self.sha256.update(piece)
            self.md5.update(piece)
            self._rest += piece
        frames = []
        # The last frame is known only at the end, so one is kept back.
        while len(self._rest) > FRAME_BYTES:
            frames.append(self._frame(bytes(self._rest[:FRAME_BYTES]), is_last=False))
            del self._rest[:FRAME_BYTES]
        if is_end:
            frames.append(self._frame(bytes(self._rest), is_last=True))
        return b"".join(frames)

    def _frame(self, plain: bytes, *, is_last: bool) -> bytes:
        nonce = _nonce(self._number, is_last)
        self._number += 1
        return self._cipher.encrypt(nonce, plain, None)


class Decrypting:
    """Reads the bytes from `first` up to `end` of a blob of `size`; `start` to `stop` are what is read in the store."""

    def __init__(self, secret: bytes, size: int, first: int, end: int) -> None:
        self._cipher = _cipher(secret)
        self._number = first // FRAME_BYTES
        self._last = _frames_of(size) - 1
        self._end = -(-end // FRAME_BYTES)
        self._skip = first - self._number * FRAME_BYTES
        self._left = end - first
        framed = FRAME_BYTES + TAG_BYTES
        self.start, self.stop = self._number * framed, min(self._end * framed, stored_size(size))

    async def decrypted(self, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Raises Damaged where what was stored is not what is there; what came before was."""
        rest = bytearray()
        async for piece in content:
            rest += piece
            if len(rest) >= _AT_ONCE_BYTES:
                yield await asyncio.to_thread(self._next, rest)
        if plain := self._next(rest):
            yield plain
        # The last frame is shorter than others, and may be cut off.
        if self._number < self._end:
            yield self._opened(bytes(rest))
        if self._left:
            raise Damaged("The store has not all of the object's bytes.")

    def _next(self, rest: bytearray) -> bytes:
        """Takes whole frames out of what is there."""
        framed, plain = FRAME_BYTES + TAG_BYTES, []
        while len(rest) >= framed and self._number < self._end:
            plain.append(self._opened(bytes(rest[:framed])))
            del rest[:framed]
        return b"".join(plain)

    def _opened(self, frame: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            plain = self._cipher.decrypt(_nonce(self._number, self._number == self._last), frame, None)
        except (InvalidTag, ValueError):
            raise Damaged("The object's bytes have been changed in the store.") from None
        self._number += 1
        wanted = plain[self._skip : self._skip + self._left]
        self._skip = 0
        self._left -= len(wanted)
        return wanted


def _frames_of(size: int) -> int:
    """An empty blob has one as well."""
    return max(1, -(-size // FRAME_BYTES))


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _cipher(secret: bytes) -> AESGCM:
    # Imported on first use: it takes 7 MB, and few blobs are encrypted.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(secret)
