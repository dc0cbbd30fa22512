"""An HTTP proxy for tests: tunnels CONNECT, or says what a test wants it to say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ogel.adapters.egress import Proxy, ProxyAddress

NEVER = b"never"


class TunnelProxy:
    """
    answers    what to say instead of opening a tunnel, by `address:port`; NEVER: nothing at all.
    otherwise  the same for every other target; None: open it, as proxies do.
    options    what it says to anything but CONNECT.
    """

    def __init__(self, otherwise: bytes | None = None, options: bytes = b"HTTP/1.1 400 No\r\n\r\n") -> None:
        self.answers: dict[str, bytes] = {}
        self.otherwise = otherwise
        self.options = options
        self.heads: list[bytes] = []
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def targets(self) -> list[str]:
        lines = [head.split(b" ") for head in self.heads]
        return [line[1].decode() for line in lines if line[0] == b"CONNECT"]

    def address(self, credentials: str = "") -> Proxy:
        return Proxy(ProxyAddress.of(f"http://{credentials}127.0.0.1:{self.port}"))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[TunnelProxy]:
        async with await asyncio.start_server(self._accept, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            target = head.split(b" ")[1].decode()
            answer = self.options
            if head.startswith(b"CONNECT "):
                answer = self.answers.get(target, self.otherwise)  # type: ignore[assignment]
            if answer is None:
                await _tunnel(target, reader, writer)
            elif answer is NEVER:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
                writer.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # The client has left, as clients may.
        finally:
            writer.transport.abort()


async def _tunnel(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    host, _, port = target.rpartition(":")
    far_reader, far_writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    far_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()
