"""
Receivers that mean harm, one port for each way: program of the class in hostile.py.

Each reads the request's head (or, where TLS is expected, anything at all) and then never stops doing its worst.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from answering import answer_questions

DRIP_SECONDS = 0.05
GIBIBYTE = 1024**3
CHUNK = bytes(256 * 1024)
Writer = asyncio.StreamWriter


async def drip_body(writer: Writer) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    await drip(writer, b"x")


async def drip_headers(writer: Writer) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\n")
    await drip(writer, b"X-A: b\r\n")


async def drip_status_line(writer: Writer) -> None:
    await drip(writer, b"HTTP/1.1 200 OK\r\n")


async def drip_chunks(writer: Writer) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await drip(writer, b"1\r\nx\r\n")


async def huge_body(writer: Writer) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIBIBYTE)
    for _ in range(GIBIBYTE // len(CHUNK)):
        await say(writer, CHUNK)


async def gzip_bomb(writer: Writer) -> None:
    """1 MB that would become 1 GiB."""
    await say(
        writer, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb())
    )
    await say(writer, bomb())


async def many_headers(writer: Writer) -> None:
    fields = b"".join(b"X-Header-%d: %s\r\n" % (n, b"v" * 100) for n in range(10_000))
    await say(writer, b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n")


async def endless_header(writer: Writer) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while True:
        await say(writer, b"v" * len(CHUNK))


async def endless_1xx(writer: Writer) -> None:
    while True:
        await say(writer, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


async def reset(writer: Writer) -> None:
    writer.transport.abort()


async def silence(writer: Writer) -> None:
    await asyncio.Event().wait()


async def garbage(writer: Writer) -> None:
    await say(writer, bytes(range(256)) * 64)


async def drip_garbage(writer: Writer) -> None:
    """The beginning of a TLS record that never ends: handshake, 16,000 bytes to come."""
    await say(writer, b"\x16\x03\x03\x3e\x80")
    await drip(writer, b"\x02")


PLAIN: dict[str, Callable[[Writer], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        drip_body,
        drip_headers,
        drip_status_line,
        drip_chunks,
        huge_body,
        gzip_bomb,
        many_headers,
        endless_header,
        endless_1xx,
        reset,
        silence,
        garbage,
    )
}
WITH_TLS: dict[str, Callable[[Writer], Awaitable[None]]] = {
    "tls_garbage": garbage,
    "tls_drip": drip_garbage,
    "tls_silence": silence,
    "tls_reset": reset,
}


class Hostile:
    def __init__(self) -> None:
        self._stays: defaultdict[str, list[list[float | None]]] = defaultdict(list)
        self._servers: list[asyncio.Server] = []

    async def answer(self, question: dict[str, Any]) -> Any:
        return await getattr(self, "do_" + question["question"])(question)

    async def do_open(self, question: dict[str, Any]) -> list[list[Any]]:
        """[way, scheme, port] of each."""
        bomb()  # made now: no sender is to wait for it
        rows: list[list[Any]] = []
        for scheme, ways in (("http", PLAIN), ("https", WITH_TLS)):
            for way, act in ways.items():
                server = await asyncio.start_server(self._serve(way, act), "127.0.0.1", 0, backlog=256)
                self._servers.append(server)
                rows.append([way, scheme, server.sockets[0].getsockname()[1]])
        return rows

    async def do_stays(self, question: dict[str, Any]) -> dict[str, list[list[float | None]]]:
        return self._stays

    def _serve(
        self, way: str, act: Callable[[Writer], Awaitable[None]]
    ) -> Callable[[asyncio.StreamReader, Writer], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
            stay: list[float | None] = [time.monotonic(), None]
            self._stays[way].append(stay)
            if way in WITH_TLS:
                await reader.read(1)
            else:
                await reader.readuntil(b"\r\n\r\n")
            acting = asyncio.ensure_future(act(writer))
            await until_gone(reader)
            stay[1] = time.monotonic()
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
            writer.transport.abort()

        return serve


async def until_gone(reader: asyncio.StreamReader) -> None:
    """Reads, and forgets, until the other side has closed or reset the connection."""
    try:
        while await reader.read(64 * 1024):
            pass
    except ConnectionError:
        pass  # a reset is as good an end as any


async def say(writer: Writer, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def drip(writer: Writer, data: bytes) -> None:
    while True:
        for byte in data:
            await say(writer, bytes([byte]))
            await asyncio.sleep(DRIP_SECONDS)


@cache
def bomb() -> bytes:
    """Members of a gzip file may follow each other: one of 16 MiB, 64 times."""
    return gzip.compress(bytes(GIBIBYTE // 64)) * 64


if __name__ == "__main__":
    asyncio.run(answer_questions(Hostile().answer))
