"""Checksums that come with the bytes (TUS: the checksum extension)."""

from __future__ import annotations

import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_ALGORITHMS: Mapping[str, Callable[[], Digest]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32": _Crc32,
}
ALGORITHMS = tuple(_ALGORITHMS)


class Checksum:
    """What the bytes of a request must come to, and what they come to so far."""

    def __init__(self, algorithm: str, expected: bytes) -> None:
        """Raises KeyError for an algorithm that is not among ALGORITHMS."""
        self._digest = _ALGORITHMS[algorithm]()
        self._expected = expected
        self.update = self._digest.update

    @property
    def matches(self) -> bool:
        return self._digest.digest() == self._expected


def parse(header: str) -> Checksum | None:
    """Reads `sha1 <base64>`. Returns None when it is no checksum, or none that we know."""
    algorithm, _, encoded = header.strip().partition(" ")
    try:
        expected = binascii.a2b_base64(encoded.strip(), strict_mode=True)
    except (ValueError, binascii.Error):
        return None
    return Checksum(algorithm, expected) if algorithm in _ALGORITHMS else None
