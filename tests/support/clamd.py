"""A scanner that speaks as clamd does (INSTREAM), and finds what is written in the clear."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.support.in_thread import ServerInThread

# What every scanner finds, and what harms nobody (eicar.org). In two pieces, so that none finds it in this file.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Clamd(ServerInThread):
    """
    most_bytes  what is longer is refused, before its end.
    looks_at    of what is longer it says that it did not look through it.
    is_away     it hangs up at once.
    scanned     lengths of what it looked through.
    """

    def __init__(self) -> None:
        super().__init__()
        self.most_bytes = 100_000_000
        self.looks_at = 100_000_000
        self.is_away = False
        self.scanned: list[int] = []

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, EOFError):
            if not self.is_away:
                writer.write(await self._answer(reader) + b"\0")
                await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        if await reader.readuntil(b"\0") != b"zINSTREAM\0":
            return b"UNKNOWN COMMAND"
        size, rest, found = 0, b"", False
        while length := int.from_bytes(await reader.readexactly(4)):
            size += length
            if size > self.most_bytes:
                return b"INSTREAM size limit exceeded. ERROR"
            piece = rest + await reader.readexactly(length)
            found = found or EICAR in piece
            rest = piece[-len(EICAR) :]
        self.scanned.append(size)
        if size > self.looks_at:
            return b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND"
        return b"stream: Eicar-Signature FOUND" if found else b"stream: OK"
