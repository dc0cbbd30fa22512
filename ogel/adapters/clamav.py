"""ClamAV: content of any size, streamed to a clamd over TCP (clamd(8), INSTREAM)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterable
from contextlib import suppress

from ogel.kernel.errors import Unavailable
from ogel.runtime.scanning import Finding, NotScanned

_CONNECT_SECONDS = 5.0
# Until clamd takes the next piece.
_WRITE_SECONDS = 60.0
# Until it has looked through what it took; large archives take it minutes.
_ANSWER_SECONDS = 300.0
# What it finds, with AlertExceedsMax, in what it did not look through.
_TOO_MUCH = "Heuristics.Limits.Exceeded"
_MOST_ANSWER_BYTES = 8 * 1024


class Clamav:
    """
    One connection for each content. What is larger than clamd's own StreamMaxLength it refuses; past MaxFileSize and
    MaxScanSize it calls clean what it has not looked at, unless AlertExceedsMax is set.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def scan(self, content: AsyncIterable[bytes]) -> Finding:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                connection = await self._connected()
            with connection:
                # Of what is too long it does not wait for the end: it answers and hangs up. A stream of asyncio's would
                # forget the answer over that.
                with suppress(ConnectionError):
                    await _send(connection, content)
                async with asyncio.timeout(_ANSWER_SECONDS):
                    answer = await _answer(connection)
        except (OSError, TimeoutError) as error:
            raise Unavailable(
                f"ClamAV at {self._host}:{self._port} does not answer well: {error!r}"
            ) from error
        return _finding(answer.removeprefix("stream: "))

    async def _connected(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, self._host, self._port)
        connection = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        connection.setblocking(False)
        transport.abort()
        return connection


async def _send(connection: socket.socket, content: AsyncIterable[bytes]) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, b"zINSTREAM\0")
    async for piece in content:
        if piece:
            async with asyncio.timeout(_WRITE_SECONDS):
                await loop.sock_sendall(connection, len(piece).to_bytes(4))
                await loop.sock_sendall(connection, piece)
    await loop.sock_sendall(connection, bytes(4))


async def _answer(connection: socket.socket) -> str:
    loop, answer = asyncio.get_running_loop(), b""
    while not answer.endswith(b"\0"):
        piece = await loop.sock_recv(connection, _MOST_ANSWER_BYTES)
        if not piece or len(answer) > _MOST_ANSWER_BYTES:
            raise ConnectionError(f"no answer, but {answer[:50]!r}")
        answer += piece
    return answer[:-1].decode(errors="replace")


def _finding(answer: str) -> Finding:
    if answer == "OK":
        return Finding()
    if answer.startswith(_TOO_MUCH):
        raise NotScanned(answer.removesuffix(" FOUND"))
    if answer.endswith(" FOUND"):
        return Finding(answer.removesuffix(" FOUND"))
    raise NotScanned(answer.removesuffix(" ERROR"))
