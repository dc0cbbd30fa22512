"""A request body that is read as it arrives: counted, never held, and aborted when it comes too slowly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from starlette.types import Receive, Scope

from ogel.kernel.errors import TooLarge
from ogel.runtime.http.body import declared_length
from ogel.runtime.http.digests import Digest
from ogel.runtime.http.exchange import Disconnected, header
from ogel.runtime.http.problem import RequestTimeout

# A body may take its grace period, and a second for each so many bytes: slower clients would hold connections for
# nothing.
LEAST_BYTES_PER_SECOND = 512


class BodyStream:
    """
    A body to iterate over once, in pieces of up to about 64 KiB. The client is read no faster than they are taken.

    content_type   in lower case and without its parameters; empty: none was sent.
    length         as declared; None: it comes in chunks.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        max_bytes: int,
        grace_seconds: float,
        digests: Sequence[Digest] = (),
        around_bytes: int = 0,
    ) -> None:
        """Raises Malformed, or TooLarge when the declared length is too much."""
        self.content_type_header = header(scope, b"content-type") or ""
        self.content_type = self.content_type_header.partition(";")[0].strip().lower()
        declared = header(scope, b"content-length")
        self.length = None if declared is None else declared_length(scope)
        self.max_bytes = max_bytes
        self._digests = digests
        self._around_bytes = around_bytes
        self._receive = receive
        self._grace_seconds = grace_seconds
        self._received = 0
        self._waited = 0.0
        if self.length is not None and self.length > max_bytes:
            raise self._too_large()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """
        Yields the body. Raises TooLarge, RequestTimeout, DigestMismatch at its end, or Disconnected when the client
        left.
        """
        more = True
        while more:
            piece, more = await self._next()
            if piece:
                for digest in self._digests:
                    digest.update(piece)
                yield piece
        for digest in self._digests:
            digest.check()

    async def read(self, max_bytes: int) -> bytes:
        """Reads the whole body up to that size. Raises TooLarge and what iterating raises."""
        self.max_bytes, self._around_bytes = min(self.max_bytes, max_bytes), 0
        return b"".join([piece async for piece in self])

    async def _next(self) -> tuple[bytes, bool]:
        """Only the time spent waiting for the client counts, not the handler's."""
        allowed = self._grace_seconds + self._received / LEAST_BYTES_PER_SECOND
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, allowed - self._waited)):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTimeout("The body arrives too slowly.") from error
        self._waited += time.monotonic() - began
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece: bytes = message.get("body", b"")
        self._received += len(piece)
        if self._received > self.max_bytes:
            raise self._too_large()
        return piece, message.get("more_body", False)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self.max_bytes - self._around_bytes} bytes.")
