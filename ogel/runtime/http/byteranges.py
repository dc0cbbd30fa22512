"""Several parts of a content in one body: `multipart/byteranges` (RFC 9110 §14.6)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, nullcontext
from uuid import uuid4

from ogel.runtime.http.ranges import Range

_END = b"\r\n--%b--\r\n"


class ByteRanges:
    """`read` is asked for each part when its turn comes."""

    def __init__(
        self,
        parts: Sequence[Range],
        size: int,
        media_type: bytes,
        read: Callable[[int, int], AsyncIterator[bytes]],
    ) -> None:
        # Random, so that whoever stores an object cannot write the end of a part into it.
        self._boundary = uuid4().hex.encode()
        self._parts = [(part, self._head(part, size, media_type)) for part in parts]
        self._read = read

    @property
    def media_type(self) -> bytes:
        return b"multipart/byteranges; boundary=" + self._boundary

    @property
    def length(self) -> int:
        heads_and_parts = sum(len(head) + end - first for (first, end), head in self._parts)
        return heads_and_parts + len(_END) - len(b"%b") + len(self._boundary)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        for (first, end), head in self._parts:
            yield head
            content = self._read(first, end)
            async with aclosing(content) if isinstance(content, AsyncGenerator) else nullcontext():
                async for piece in content:
                    yield piece
        yield _END % self._boundary

    def _head(self, part: Range, size: int, media_type: bytes) -> bytes:
        return b"\r\n--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n" % (
            self._boundary,
            media_type,
            content_range(part, size),
        )


def content_range(part: Range, size: int) -> bytes:
    """The value of `Content-Range`."""
    first, end = part
    return b"bytes %d-%d/%d" % (first, end - 1, size)
