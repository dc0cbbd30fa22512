"""Reading one HTTP/1.1 response (RFC 9112) from a peer that may mean harm: every buffer here has a size."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from ogel.runtime.egress import EgressError, Headers

MAX_INTERIM = 8  # 1xx responses before the real one
MAX_CHUNK_LINE = 1024  # bytes of a chunk's size and its extensions
MAX_HEADERS = 256  # lines; their bytes have a limit of their own
REMEMBERED_HEADS = 256
MAX_REMEMBERED_BYTES = 1024  # of one head

# Everything up to the blank line. Folded lines, blanks before a colon and stray CR, LF or NUL do not match
# (RFC 9112 §5). The quantifiers are possessive (`*+`), so that a hostile head is not tried twice.
_HEAD = re.compile(
    r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*+)?"
    r"(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]++:[^\r\n\0]*+)*+",
    re.ASCII,
)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)


class Head(Struct, frozen=True):
    """The status line and headers of a response.

    length       what Content-Length says; None without one.
    codings      transfer codings, in lower case, in the order in which they were applied.
    keeps_alive  the peer means to leave the connection open.
    """

    minor: int
    status: int
    headers: Headers
    length: int | None
    codings: tuple[str, ...]
    keeps_alive: bool


class ResponseReader:
    """Fed with what arrives; the fields are to be read once `feed` or `end` has returned True.

    status, headers   of the final response; interim ones are passed over.
    body              at most `max_body_bytes`, as sent: nothing is ever decompressed.
    truncated         there was more body than that.
    reusable          the connection may carry another request.
    """

    __slots__ = (
        "_chunk_open",
        "_header_bytes",
        "_interim",
        "_left",
        "_max_body_bytes",
        "_max_header_bytes",
        "_pending",
        "_read",
        "body",
        "headers",
        "reusable",
        "status",
        "truncated",
    )

    def __init__(self, max_header_bytes: int, max_body_bytes: int) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.body = bytearray()
        self.truncated = False
        self.reusable = False
        self._max_header_bytes = max_header_bytes
        self._max_body_bytes = max_body_bytes
        self._header_bytes = 0
        self._interim = 0
        self._left = 0  # bytes of the body, or of the current chunk, still to come
        self._chunk_open = False  # a chunk's data was read, its CRLF was not
        self._pending = b""
        # The function, not the bound method: a reader that refers to itself is left to the collector.
        self._read: Callable[[ResponseReader, bytes], bool] = ResponseReader._read_head

    def feed(self, data: bytes) -> bool:
        """Takes data; returns True once the response is complete. Raises EgressError("protocol" or "too_large")."""
        if self._pending:
            data, self._pending = self._pending + data, b""
        return self._read(self, data)

    def end(self) -> bool:
        """Takes the end of input; returns True when that is how this body ends."""
        return self._read is ResponseReader._read_until_end

    def _read_head(self, data: bytes) -> bool:
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if not b"HTTP/1.".startswith(data[:7]):
                    raise EgressError("protocol", "the answer is not HTTP/1")
                self._limit_headers(len(data))
                self._pending = data
                return False
            self._limit_headers(end + 4)
            self._header_bytes += end + 4
            head = _head(data[:end])
            data = data[end + 4 :]
            self.status, self.headers = head.status, head.headers
            if head.status >= 200:
                return self._begin_body(head, data)
            self._interim += 1
            if self._interim > MAX_INTERIM or self.status == 101:
                raise EgressError("protocol", "the answer began with too many or unasked 1xx responses")

    def _limit_headers(self, more: int) -> None:
        """Interim responses, headers and trailers share one allowance."""
        if self._header_bytes + more > self._max_header_bytes:
            raise EgressError("too_large", f"the headers are larger than {self._max_header_bytes} bytes")

    def _begin_body(self, head: Head, data: bytes) -> bool:
        """Decide how the body ends (RFC 9112 §6.3)."""
        self.reusable = head.keeps_alive
        if head.status in (204, 304):
            return self._finish(data)
        if head.codings:
            # The framing is ambiguous, so a proxy on the way may have read it differently.
            self.reusable = self.reusable and head.length is None and head.minor == 1
            chunked = head.codings[-1] == "chunked"
            self._read = ResponseReader._read_chunked if chunked else ResponseReader._read_until_end
        elif head.length is not None:
            self._left = head.length
            self._read = ResponseReader._read_sized
        else:
            self._read = ResponseReader._read_until_end
        return self._read(self, data)

    def _read_sized(self, data: bytes) -> bool:
        piece = data[: self._left]
        self._left -= len(piece)
        if not self._keep(piece):
            return True
        return not self._left and self._finish(data[len(piece) :])

    def _read_until_end(self, data: bytes) -> bool:
        self.reusable = False
        return not self._keep(data)

    def _read_chunked(self, data: bytes) -> bool:
        at = 0
        while True:
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if not self._keep(piece):
                    return True
                if self._left:
                    return False
                self._chunk_open = True
            if self._chunk_open:
                if len(data) - at < 2:
                    self._pending = data[at:]
                    return False
                if data[at : at + 2] != b"\r\n":
                    raise EgressError("protocol", "a chunk is longer than it said")
                at += 2
                self._chunk_open = False
            end = data.find(b"\r\n", at, at + MAX_CHUNK_LINE)
            if end < 0:
                if len(data) - at >= MAX_CHUNK_LINE:
                    raise EgressError("protocol", "the size of a chunk cannot be read")
                self._pending = data[at:]
                return False
            self._left = _chunk_size(data[at:end])
            at = end + 2
            if not self._left:
                self._read = ResponseReader._read_trailers
                return self._read_trailers(data[at:])

    def _read_trailers(self, data: bytes) -> bool:
        """Trailers are bounded like headers, and dropped: nobody here acts on them."""
        if data.startswith(b"\r\n"):
            return self._finish(data[2:])
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._limit_headers(len(data))
            self._pending = data
            return False
        self._limit_headers(end + 4)
        return self._finish(data[end + 4 :])

    def _keep(self, piece: bytes) -> bool:
        """Appends to the body. Returns False when it has reached its limit and the rest is not wanted."""
        room = self._max_body_bytes - len(self.body)
        if len(piece) <= room:
            self.body += piece
            return True
        self.body += piece[:room]
        self.truncated = True
        self.reusable = False
        return False

    def _finish(self, rest: bytes) -> bool:
        if rest:
            self.reusable = False  # An answer to a question we have not asked.
        return True


def _head(data: bytes) -> Head:
    """Parses a head. Cached, since the answers of one server differ in little but their date."""
    return _remembered_head(data) if len(data) <= MAX_REMEMBERED_BYTES else parse_head(data)


def parse_head(data: bytes) -> Head:
    """Everything before the blank line. Raises EgressError("protocol" or "too_large").

    Header text is Latin-1, so that no byte is lost (RFC 9110 §5.5).
    """
    text = data.decode("latin-1")
    match = _HEAD.fullmatch(text)
    if match is None:
        raise EgressError("protocol", "the status line or a header cannot be read")
    lines = text.split("\r\n")[1:]
    if len(lines) > MAX_HEADERS:
        raise EgressError("too_large", f"there are more than {MAX_HEADERS} headers")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name, value.strip(" \t")))
    minor = int(match[1])
    length, codings, connection = _framing(headers)
    keeps_alive = "close" not in connection and (minor == 1 or "keep-alive" in connection)
    return Head(minor, int(match[2]), tuple(headers), length, tuple(codings), keeps_alive)


_remembered_head = lru_cache(maxsize=REMEMBERED_HEADS)(parse_head)


def _framing(headers: Headers) -> tuple[int | None, list[str], list[str]]:
    """Content-Length, transfer codings and connection options, in lower case."""
    lengths: list[str] = []
    codings: list[str] = []
    connection: list[str] = []
    for name, value in headers:
        lowered = name.lower()
        if lowered == "content-length":
            lengths += value.split(",")
        elif lowered == "transfer-encoding":
            codings += _listed(value)
        elif lowered == "connection":
            connection += _listed(value)
    return _length(lengths) if lengths else None, codings, connection


def _length(values: list[str]) -> int:
    """The same length said twice is still that length (RFC 9112 §6.3)."""
    first, *others = [value.strip(" \t") for value in values]
    if not _LENGTH.fullmatch(first) or any(other != first for other in others):
        raise EgressError("protocol", "Content-Length cannot be read")
    return int(first)


def _listed(value: str) -> list[str]:
    return [item.strip(" \t").lower() for item in value.split(",")]


def _chunk_size(line: bytes) -> int:
    match = _CHUNK_LINE.fullmatch(line)
    if match is None:
        raise EgressError("protocol", "the size of a chunk cannot be read")
    return int(match[1], 16)
