"""What stands in front of replaced processes: connections go to whoever takes them, bytes as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle

from tests.support.in_thread import ServerInThread

PATIENCE_SECONDS = 30.0
AGAIN_SECONDS = 0.01
_CHUNK = 64 * 1024


class Balancer(ServerInThread):
    """In turn over `ports`; one that refuses is passed over. `port` is its own."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__()
        self._turns = cycle(ports)
        self._open: set[asyncio.StreamWriter] = set()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0.1)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            to_reader, to_writer = await self._reach()
        except TimeoutError:
            writer.transport.abort()
            return
        self._open.add(to_writer)
        try:
            await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))
        except OSError:
            writer.transport.abort()  # a reset is passed on as one
            to_writer.transport.abort()
        finally:
            self._open -= {writer, to_writer}
            writer.close()
            to_writer.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(ConnectionRefusedError):
                    return await asyncio.open_connection("127.0.0.1", next(self._turns))
                await asyncio.sleep(AGAIN_SECONDS)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
