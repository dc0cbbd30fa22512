"""Digests of bodies (RFC 9530, and Content-MD5 of RFC 1864): clients promise theirs, and may want ours."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Collection, Mapping, Sequence

from ogel.kernel.errors import Malformed
from ogel.runtime.http.problem import DigestMismatch

# The algorithms of RFC 9530 that are fit for use, and the sizes of their digests. Others say nothing to us (§5).
_ALGORITHMS: Mapping[str, tuple[str, int]] = {"sha-256": ("sha256", 32), "sha-512": ("sha512", 64)}
# A member of a dictionary whose value is a byte sequence (RFC 9651 §3.2).
_MEMBER = re.compile(r"[ \t]*([a-z*][a-z0-9_\-.*]*)=:([A-Za-z0-9+/=]*):(?:;[^,]*)?[ \t]*")
_NO_SHA256 = re.compile(r"(?:^|,)[ \t]*sha-256=0[ \t]*(?:,|$)")


class Digest:
    """What a body is to be, and what has come of it. `header` is the one that promised it."""

    def __init__(self, header: str, algorithm: str, expected: bytes) -> None:
        self._header = header
        self._expected = expected
        self._hash = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        self._hash.update(piece)

    def check(self) -> None:
        """Raises DigestMismatch."""
        if self._hash.digest() != self._expected:
            raise DigestMismatch(f"The body is not the one that {self._header} promises.")


def promised(headers: Mapping[bytes, bytes], method: str) -> Sequence[Digest]:
    """
    The digests of a request's body. Repr-Digest is of a whole representation, which a PATCH does not carry (RFC 9530
    §3). Raises Malformed.
    """
    digests = [*_of_dictionary(headers, "Content-Digest")]
    if method in ("PUT", "POST"):
        digests += _of_dictionary(headers, "Repr-Digest")
    if (md5 := headers.get(b"content-md5")) is not None:
        digests.append(Digest("Content-MD5", "md5", _decoded("Content-MD5", str(md5, "latin-1").strip(), 16)))
    return digests


def wants_sha256(headers: Mapping[bytes, bytes]) -> bool:
    """Whether Repr-Digest is welcome; it is, unless Want-Repr-Digest says the contrary (RFC 9530 §4)."""
    wanted = headers.get(b"want-repr-digest")
    return wanted is None or _NO_SHA256.search(str(wanted, "latin-1")) is None


def _of_dictionary(headers: Mapping[bytes, bytes], name: str) -> Collection[Digest]:
    """One of each algorithm: the last of a key counts."""
    value = headers.get(name.lower().encode())
    digests: dict[str, Digest] = {}
    for text in () if value is None else str(value, "latin-1").split(","):
        if (member := _MEMBER.fullmatch(text)) is None:
            raise Malformed(f"{name} is no list of digests such as sha-256=:…:.")
        if (known := _ALGORITHMS.get(member[1])) is not None:
            algorithm, size = known
            digests[algorithm] = Digest(name, algorithm, _decoded(name, member[2], size))
    return digests.values()


def _decoded(name: str, text: str, size: int) -> bytes:
    try:
        digest = b64decode(text, validate=True)
    except (NotBase64, ValueError):
        digest = b""
    if len(digest) != size:
        raise Malformed(f"{name} is no digest: it takes {size} bytes in base64.")
    return digest
