"""
The body of an upload as S3's clients send it: whole or in signed pieces, held against the hashes and checksums that
came with it. What does not fit is told at its end at the latest, before anything of it becomes an object.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator, Mapping
from hashlib import md5, sha256

from ogel.features.storage.errors import StorageError
from ogel.features.storage.s3.checksums import ALGORITHMS, Checksum, LanedCrc
from ogel.features.storage.s3.errors import (
    bad_digest,
    incomplete_body,
    invalid_request,
    length_missing,
    signature_does_not_match,
    wrong_payload_hash,
)
from ogel.features.storage.s3.signature import EMPTY_SHA256, UNSIGNED, SigningScope, is_same, signature_of
from ogel.runtime.http.streamed import BodyStream

_SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SIGNED_CHUNKS_AND_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_CHUNKS_AND_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
# They come in chunks of their own, inside those that HTTP may have.
IN_CHUNKS = (_SIGNED_CHUNKS, _SIGNED_CHUNKS_AND_TRAILER, _CHUNKS_AND_TRAILER)
_HASH = re.compile(r"[0-9a-f]{64}")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;chunk-signature=([0-9a-f]{64}))?")
_MOST_LINE_BYTES = 1024
_MOST_TRAILER_BYTES = 8 * 1024
_CHECKSUM = "x-amz-checksum-"
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
# Of each chunk of 8 KiB, the smallest that clients send, what its head takes; and the trailer.
OVERHEAD = 1 + 128 / 8192
OVERHEAD_BYTES = 64 * 1024


class ChunkSigning:
    """What the chunks of a body are signed with; each signature has the one before in it."""

    def __init__(self, key: bytes, amz_date: str, scope: SigningScope, seed: str) -> None:
        self._key = key
        self._amz_date = amz_date
        self._scope = scope
        self._last = seed

    def check(self, content_sha256: str, signature: str) -> None:
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{EMPTY_SHA256}\n{content_sha256}", signature)

    def check_trailer(self, trailer: str, signature: str) -> None:
        hashed = sha256(trailer.encode()).hexdigest()
        self._check("AWS4-HMAC-SHA256-TRAILER", hashed, signature)

    def _check(self, kind: str, hashed: str, signature: str) -> None:
        text = "\n".join((kind, self._amz_date, str(self._scope), self._last, hashed))
        if not is_same(signature_of(self._key, text), signature):
            raise signature_does_not_match()
        self._last = signature


class Payload:
    """
    A body to iterate over once. Raises StorageError BadDigest, XAmzContentSHA256Mismatch, SignatureDoesNotMatch,
    IncompleteBody, and what the body raises.

    length     of the content, as declared; None: unknown.
    checksums  what was sent, and is true once all has been read: by algorithm, in base64.
    """

    def __init__(
        self, body: BodyStream, headers: Mapping[bytes, bytes], signing: ChunkSigning | None
    ) -> None:
        """Raises StorageError InvalidRequest, MissingContentLength."""
        self._body = body
        kind = _text(headers, "x-amz-content-sha256") or UNSIGNED
        self._in_chunks = kind in IN_CHUNKS
        self._signing = signing if kind != _CHUNKS_AND_TRAILER else None
        self._takes_trailer = kind != _SIGNED_CHUNKS
        if not self._in_chunks and kind != UNSIGNED and not _HASH.fullmatch(kind):
            raise invalid_request("x-amz-content-sha256 is none of the values that it takes.")
        if self._in_chunks and kind != _CHUNKS_AND_TRAILER and signing is None:
            raise invalid_request("Chunks are signed where the request is, in its headers.")
        self.length = _decoded_length(headers) if self._in_chunks else body.length
        self.checksums: dict[str, str] = {}
        self._sha256 = kind if _HASH.fullmatch(kind) else None
        self._md5 = _text(headers, "content-md5")
        self._announced = _announced(headers)
        self._checks = self._digests(headers)

    def _digests(self, headers: Mapping[bytes, bytes]) -> dict[str, tuple[Checksum, bytes | None]]:
        """What is computed of the content, and what it must be; None: the trailer will say."""
        checks: dict[str, tuple[Checksum, bytes | None]] = {}
        if self._sha256 is not None:
            checks[""] = sha256(), bytes.fromhex(self._sha256)
        if self._md5 is not None:
            checks["Content-MD5"] = md5(usedforsecurity=False), _decoded(self._md5, 16, "InvalidDigest")
        for name, make in ALGORITHMS.items():
            checksum = make()
            if (sent := _text(headers, _CHECKSUM + name)) is not None:
                checks[name] = checksum, _decoded(sent, len(checksum.digest()), "InvalidRequest")
                self.checksums[name] = sent
            elif name in self._announced:
                checks[name] = checksum, None
        return checks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for piece in self._chunks() if self._in_chunks else self._body:
            for checksum, _ in self._checks.values():
                if isinstance(checksum, LanedCrc):
                    await checksum.update_in_turns(piece)
                else:
                    checksum.update(piece)
            read += len(piece)
            if self.length is not None and read > self.length:
                raise incomplete_body("The body has more bytes than it was said to have.")
            yield piece
        if self.length is not None and read != self.length:
            raise incomplete_body("The body has fewer bytes than it was said to have.")
        for name, (checksum, expected) in self._checks.items():
            if checksum.digest() != expected:
                raise bad_digest(name) if name else wrong_payload_hash()

    async def _chunks(self) -> AsyncIterator[bytes]:
        """Yields what is in the chunks, and checks the signature of each behind it."""
        reader = _Reader(self._body)
        while True:
            found = _CHUNK.fullmatch(await reader.line())
            if found is None or (self._signing is not None) != (found[2] is not None):
                raise incomplete_body("The head of a chunk is malformed.")
            left, hashed = int(found[1], 16), sha256()
            is_last = left == 0
            while left:
                piece = await reader.some(left)
                left -= len(piece)
                if self._signing is not None:
                    hashed.update(piece)
                yield piece
            if self._signing is not None:
                self._signing.check(hashed.hexdigest(), found[2].decode())
            if is_last:
                self._read_trailer(await reader.rest(_MOST_TRAILER_BYTES))
                return
            if await reader.line():
                raise incomplete_body("A chunk is longer than its head says.")

    def _read_trailer(self, raw: bytes) -> None:
        try:
            lines = [line.strip() for line in raw.decode("ascii").splitlines()]
        except UnicodeDecodeError as error:
            raise incomplete_body("The trailer is malformed.") from error
        fields = [line.split(":", 1) for line in lines if line]
        if any(len(field) != 2 for field in fields) or (fields and not self._takes_trailer):
            raise incomplete_body("The trailer is malformed.")
        named = {name.strip().lower(): value.strip() for name, value in fields}
        signature = named.pop(_TRAILER_SIGNATURE, None)
        if self._signing is not None and self._takes_trailer:
            signed = "".join(f"{name}:{value}\n" for name, value in named.items())
            self._signing.check_trailer(signed, signature or "")
        for name, (checksum, expected) in self._checks.items():
            if expected is None:
                sent = named.get(_CHECKSUM + name)
                if sent is None:
                    raise incomplete_body(f"The trailer lacks {_CHECKSUM}{name}, which was announced.")
                self._checks[name] = checksum, _decoded(sent, len(checksum.digest()), "InvalidRequest")
                self.checksums[name] = sent


class _Reader:
    """Lines and pieces of a body."""

    def __init__(self, body: BodyStream) -> None:
        self._pieces = aiter(body)
        self._unread = b""
        self._at = 0
        # Bytes of lines that no content has paid for: many small chunks cost us far more than they cost a client.
        self._besides = 0

    async def line(self) -> bytes:
        """Up to CRLF, without it."""
        while (end := self._unread.find(b"\r\n", self._at)) < 0:
            if len(self._unread) - self._at > _MOST_LINE_BYTES or not await self._more():
                raise incomplete_body("A line of the body is too long, or the body ends within it.")
        line, self._at = self._unread[self._at : end], end + 2
        self._besides += len(line) + 2
        if self._besides > OVERHEAD_BYTES:
            raise incomplete_body("The body has more of chunks' heads than of content.")
        return line

    async def some(self, most: int) -> bytes:
        """At least one byte."""
        if self._at == len(self._unread) and not await self._more():
            raise incomplete_body("The body ends within a chunk.")
        piece = self._unread[self._at : self._at + most]
        self._at += len(piece)
        self._besides = max(0, self._besides - len(piece))
        return piece

    async def rest(self, most: int) -> bytes:
        while await self._more():
            if len(self._unread) - self._at > most:
                raise incomplete_body("The trailer is too long.")
        return self._unread[self._at :]

    async def _more(self) -> bool:
        piece = await anext(self._pieces, b"")
        self._unread, self._at = self._unread[self._at :] + piece, 0
        return bool(piece)


def _text(headers: Mapping[bytes, bytes], name: str) -> str | None:
    value = headers.get(name.encode())
    return None if value is None else str(value, "latin-1").strip()


def _announced(headers: Mapping[bytes, bytes]) -> set[str]:
    names = (_text(headers, "x-amz-trailer") or "").lower().split(",")
    return {name.strip().removeprefix(_CHECKSUM) for name in names if name.strip()}


def _decoded_length(headers: Mapping[bytes, bytes]) -> int:
    length = _text(headers, "x-amz-decoded-content-length")
    if length is None:
        raise length_missing()
    if not _LENGTH.fullmatch(length):
        raise invalid_request("x-amz-decoded-content-length is not a number.")
    return int(length)


def _decoded(value: str, size: int, code: str) -> bytes:
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != size:
        raise StorageError(400, code, f"A checksum is not written as base64 of {size} bytes.")
    return decoded
