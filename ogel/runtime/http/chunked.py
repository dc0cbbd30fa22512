"""Decodes chunked bodies (RFC 9112 §7.1)."""

from __future__ import annotations

import re

from ogel.runtime.http.head import Refused, read_fields

# Chunks per turn of the event loop, so that a body of one-byte chunks does not hold up other connections.
_AT_ONCE = 256
_MAX_LINE_BYTES = 256
# Chunk extensions and trailers are skipped. Beyond this many bytes, they may take no more than a share of the body.
_MAX_BESIDES_BYTES = 16 * 1024
_FREE_BYTES_PER_CHUNK = 16
# A size, and extensions by their grammar (RFC 9112 §7.1.1).
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_SIZE = re.compile(
    rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*"
    + _TOKEN
    + rb"(?:[ \t]*=[ \t]*(?:"
    + _TOKEN
    + rb"|"
    + _QUOTED
    + rb"))?)*"
)


class Chunked:
    """`ended`: the last chunk and the trailers behind it have been read."""

    def __init__(self) -> None:
        self.ended = False
        self._left = 0  # bytes left of the current chunk, without the line end behind it
        self._in_chunk = False
        self._in_trailers = False
        self._besides = 0

    def read(self, data: bytes, at: int) -> tuple[list[bytes], int, bool]:
        """
        Returns the part of the body in `data` from `at` on, how far it was read, and whether to call again without more
        data: one call reads a limited number of chunks. Raises Refused.
        """
        pieces: list[bytes] = []
        for _ in range(_AT_ONCE):
            before = at
            if self._in_chunk:
                at = self._read_chunk(data, at, pieces)
            elif self._in_trailers:
                at = self._read_trailers(data, at)
            else:
                at = self._read_size(data, at)
            if at == before or self.ended:
                return pieces, at, False
        return pieces, at, at < len(data)

    def _read_size(self, data: bytes, at: int) -> int:
        line, behind = self._line(data, at)
        if line is None:
            return at
        size = _SIZE.fullmatch(line)
        if size is None:
            raise Refused(400, "The size of a chunk is malformed.")
        self._left = int(size[1], 16)
        # As in Go: bytes that are no body must be paid for by bytes that are.
        self._besides = max(0, self._besides + len(line) - _FREE_BYTES_PER_CHUNK - 2 * self._left)
        self._check_besides()
        self._in_chunk, self._in_trailers = self._left > 0, self._left == 0
        return behind

    def _read_chunk(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        if self._left:
            piece = data[at : at + self._left]
            if piece:
                pieces.append(piece)
                self._left -= len(piece)
            return at + len(piece)
        end = data[at : at + 2]
        if not b"\r\n".startswith(end):
            raise Refused(400, "A chunk is longer than its size says.")
        if len(end) < 2:
            return at
        self._in_chunk = False
        return at + 2

    def _read_trailers(self, data: bytes, at: int) -> int:
        line, behind = self._line(data, at)
        if line is None:
            return at
        self.ended = not line
        if line and read_fields(data, at, behind) is None:
            raise Refused(400, "A trailer field is malformed.")
        self._besides += len(line)
        self._check_besides()
        return behind

    def _line(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        """Returns the line up to the next CRLF and where the next line begins. A bare CR or LF is refused."""
        end = data.find(b"\r\n", at, at + _MAX_LINE_BYTES)
        if end >= 0:
            return data[at:end], end + 2
        if len(data) - at >= _MAX_LINE_BYTES or b"\n" in data[at : at + _MAX_LINE_BYTES]:
            raise Refused(400, "A line of a chunked body is malformed, or too long.")
        return None, at

    def _check_besides(self) -> None:
        if self._besides > _MAX_BESIDES_BYTES:
            raise Refused(400, "The body has more chunk extensions and trailers than content.")
