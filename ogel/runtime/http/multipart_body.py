"""multipart/form-data (RFC 7578), part by part, as it comes: no part is held in memory or put on a disk."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from msgspec import Struct
from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from ogel.kernel.errors import Malformed, TooLarge
from ogel.runtime.http.problem import UnsupportedMedia
from ogel.runtime.http.streamed import BodyStream

# The longest boundary, by RFC 2046 §5.1.1.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class PartLimits(Struct, frozen=True):
    """`most_parts` limits files and fields together, `max_header_bytes` a line in the head of a part."""

    most_parts: int = 32
    max_headers: int = 8
    max_header_bytes: int = 4096


class Part:
    """
    One file or field: to be iterated over once, before the next part is asked for.

    name          of the field; empty: none was sent, or one that is (clients of Supabase call their files so).
    filename      as the client calls it, and so never a path to write to; None: it is a field.
    content_type  in lower case and without its parameters; None: none was sent.
    """

    def __init__(self, segment: MultipartSegment, events: AsyncIterator[object]) -> None:
        self.name = segment.name or ""
        self.filename = segment.filename
        self.content_type = segment.content_type
        self._events = events
        self._ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields the content. Raises Malformed and what the body raises."""
        while not self._ended:
            event = await anext(self._events)
            if isinstance(event, (bytes, bytearray)):
                yield bytes(event)
            else:
                self._ended = True

    async def read(self, max_bytes: int) -> bytes:
        """Reads the whole part. Raises TooLarge and what iterating raises."""
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if size > max_bytes:
                raise TooLarge(f"The field {self.name[:100]!r} is larger than {max_bytes} bytes.")
            pieces.append(piece)
        return b"".join(pieces)

    async def skip(self) -> None:
        """Reads and drops the rest of the part."""
        async for _ in self:
            pass


async def parts(body: BodyStream, limits: PartLimits | None = None) -> AsyncGenerator[Part, None]:
    """
    Yields each part once, in their order. Raises UnsupportedMedia, Malformed (the body ends early or is not
    multipart/form-data), TooLarge (too many parts, or too large heads), and what the body raises.
    """
    limits = limits or PartLimits()
    parser = PushMultipartParser(
        _boundary(body),
        max_header_size=limits.max_header_bytes,
        max_header_count=limits.max_headers,
        max_segment_count=limits.most_parts,
    )
    async with aclosing(_events(body, parser)) as events:
        async for event in events:
            assert isinstance(event, MultipartSegment)  # the rest of a part is read by the part itself
            part = Part(event, events)
            yield part
            await part.skip()


async def _events(body: BodyStream, parser: PushMultipartParser) -> AsyncGenerator[object, None]:
    """Yields, for each part, its head, then bytes, then None. Anything behind the last part is read and dropped."""
    try:
        async for piece in body:
            for event in parser.parse(piece):
                yield event
        parser.close()  # fails when the last boundary has not come
    except ParserLimitReached as error:
        raise TooLarge(f"The multipart body exceeds a limit: {_said(error)}.") from error
    except MultipartError as error:
        raise Malformed(f"The multipart body cannot be read: {_said(error)}.") from error


def _said(error: MultipartError) -> str:
    """Its first word: behind it may come another error, and what was sent."""
    return str(error.args[0]).removesuffix(".")


def _boundary(body: BodyStream) -> str:
    if body.content_type != "multipart/form-data":
        raise UnsupportedMedia("multipart/form-data")
    boundary: str = parse_options_header(body.content_type_header)[1].get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Malformed("Content-Type names no boundary that a multipart body can have.")
    return boundary
