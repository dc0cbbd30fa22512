"""One answer on its way from the application to the connection: ASGI's `send`, and what HTTP/1.1 makes of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

from starlette.types import Message

from ogel.runtime.http.exchange import TAKEN_BY, Disconnected
from ogel.runtime.http.successor import Successor

_LAST_CHUNK = b"0\r\n\r\n"
# Smaller answers are sent in one piece with their head; above this, copying costs more than a second write.
_JOINED_BYTES = 64 * 1024
_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
_CLOSE = b"connection: close\r\n"
_KEEP_ALIVE = b"connection: keep-alive\r\n"


class AnswerSink(Protocol):
    """What an answer needs from its connection."""

    @property
    def is_last(self) -> bool: ...

    @property
    def gone(self) -> bool: ...

    def write(self, data: bytes) -> None: ...

    async def drained(self) -> None: ...

    def hand_over(self, successor: Successor, head: bytes) -> None: ...


class Answer:
    """
    begun  something of it is written.
    ended  all of it is.
    keep   the connection may be used again behind it, and its head says so.
    """

    __slots__ = ("_chunks", "_left", "_method", "_old", "_out", "_silent", "_start", "begun", "ended", "keep")

    def __init__(self, out: AnswerSink, method: str, version: str, keep_alive: bool) -> None:
        self.begun = False
        self.ended = False
        self.keep = keep_alive
        self._out = out
        self._method = method
        self._old = version == "1.0"
        self._start: Message | None = None
        self._silent = False  # there is no body, whatever the application sends
        self._chunks = False
        self._left: int | None = None  # bytes of the declared length that are still to come

    async def send(self, message: Message) -> None:
        """
        Sends a message of ASGI. The head waits for the first part of the body. Raises Disconnected when the client left
        before the end, and RuntimeError when ASGI does not allow the message at this point.
        """
        kind = message["type"]
        if kind == "http.response.body" and self._start is not None and not self.ended:
            self._write(bytes(message.get("body", b"")), message.get("more_body", False))
            await self._out.drained()
            if self._out.gone and not self.ended:
                raise Disconnected
        elif kind == "http.response.start" and self._start is None:
            self._start = message
            if (successor := message.get(TAKEN_BY)) is not None:
                self._hand_over(message, successor)
        else:
            raise RuntimeError(f"an application sent {kind} when it could not")

    def _hand_over(self, start: Message, successor: Successor) -> None:
        """What follows the head goes on to the end of the connection, without chunks, the same for every client."""
        self.begun = self.ended = True
        self.keep = False
        fields = [field for field in start.get("headers", ()) if field[0].lower() != b"connection"]
        self._out.hand_over(successor, head_of(int(start["status"]), fields, _CLOSE))

    def _write(self, body: bytes, more: bool) -> None:
        head = b"" if self.begun else self._head(body, more)
        data = b"" if self._silent else self._framed(body, more)
        self.begun = True
        if len(data) < _JOINED_BYTES:
            data = head + data
        elif head:
            self._out.write(head)
        if data:
            self._out.write(data)
        self.ended = not more

    def _framed(self, body: bytes, more: bool) -> bytes:
        if self._chunks:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more else chunk + _LAST_CHUNK
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("an application sent more or less than the Content-Length it declared")
        return body

    def _head(self, body: bytes, more: bool) -> bytes:
        assert self._start is not None
        status, fields = int(self._start["status"]), []
        length: int | None = None
        for name, value in self._start.get("headers", ()):
            lowered = name.lower()
            if lowered == b"content-length":
                length = int(value)
            elif lowered == b"connection":
                self.keep = self.keep and b"close" not in value.lower()
                continue
            elif lowered == b"transfer-encoding":
                continue  # the server decides this
            fields.append((name, value))
        self._silent = self._method == "HEAD" or status in (204, 304)
        if length is None and not self._silent:
            length = self._choose_framing(body, more, fields)
        self._left = length
        self.keep = self.keep and not self._out.is_last
        if not self.keep:
            return head_of(status, fields, _CLOSE)
        return head_of(status, fields, _KEEP_ALIVE if self._old else b"")

    def _choose_framing(self, body: bytes, more: bool, fields: list[tuple[bytes, bytes]]) -> int | None:
        """Uses the length where it is known, otherwise chunks, or the end of the connection for old clients."""
        if not more:
            fields.append((b"content-length", b"%d" % len(body)))
            return len(body)
        if self._old:
            self.keep = False  # closing the connection marks the end of the body
        else:
            fields.append((b"transfer-encoding", b"chunked"))
            self._chunks = True
        return None


def head_of(status: int, fields: Iterable[tuple[bytes, bytes]], connection: bytes = b"") -> bytes:
    """
    Returns the head, from the status line to the empty line. Raises ValueError for a field with a line break in it.
    """
    lines = [b"%b: %b\r\n" % field for field in fields]
    head = b"".join((status_line(status), *lines, date_line(int(time.time())), connection, b"\r\n"))
    # One line each for the status, the date and the end, and perhaps one for the connection.
    expected = len(lines) + (4 if connection else 3)
    if head.count(b"\n") != expected or head.count(b"\r") != expected or b"\0" in head:
        raise ValueError("a header field of an answer holds a line break or a NUL")
    return head


def status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


@lru_cache(maxsize=2)
def date_line(second: int) -> bytes:
    return f"date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
