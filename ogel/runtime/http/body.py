"""Request bodies within bounds: how much is read, and how long we wait."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

from ogel.kernel.errors import Malformed, TooLarge
from ogel.runtime.http.exchange import Disconnected, header
from ogel.runtime.http.problem import RequestTimeout


async def read_body(scope: Scope, receive: Receive, max_bytes: int, timeout_seconds: float) -> bytes:
    """Reads the whole body. Raises TooLarge, RequestTimeout, or Disconnected when the client left."""
    if declared_length(scope) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _receive_all(receive, max_bytes)
    except TimeoutError as error:
        raise RequestTimeout(f"The body did not arrive within {timeout_seconds:g} seconds.") from error


async def _receive_all(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def declared_length(scope: Scope) -> int:
    length = header(scope, b"content-length") or "0"
    # int() would accept "+1", "1_000" and digits of other scripts as well.
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise Malformed("Content-Length is not a number.")
    return int(length)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than {max_bytes} bytes.")
