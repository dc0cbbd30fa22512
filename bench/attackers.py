"""
Clients that mean no good, from a process of their own and for so many seconds.

    python -m bench.attackers gone --port 8080 --seconds 5

prints an empty line when it begins, and ends by itself. Who is cut off comes again.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import uvloop

END_SECONDS = 60.0
AGAIN_SECONDS = 0.02
# A masked ping (RFC 6455 §5.5.2) with as much in it as it may have: 131 bytes.
_PING = b"\x89\xfd\0\0\0\0" + b"p" * 125
_PINGS_AT_ONCE = 500
_HEADER_CONNECTIONS, _HEADERS = 4, 3500
_BODY_CONNECTIONS, _BODY_BYTES = 2, 6_000_000
_GONE_CONNECTIONS, _PIPELINED, GONE_AFTER_SECONDS = 300, 1000, 2.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def pings(port: int, key: str) -> None:
    """One WebSocket that pings without pause, and reads what it is answered."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"GET /realtime/websocket?events=nothing.* HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer %s\r\n\r\n" % key.encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        reading = asyncio.create_task(_read_all(reader))
        try:
            while not reading.done():
                writer.write(_PING * _PINGS_AT_ONCE)
                await writer.drain()
        finally:
            reading.cancel()

    await _again_and_again(port, once)


async def headers(port: int, key: str) -> None:
    """Heads of 60 KB, one after the other on each connection."""
    many = b"".join(b"X-Header-%04d: v\r\n" % n for n in range(_HEADERS))
    head = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n"
    await _repeated(port, _HEADER_CONNECTIONS, [head])


async def bodies(port: int, key: str) -> None:
    """6 MB of JSON that is refused: one has a field that nobody knows, the other does not end."""
    long = b"x" * _BODY_BYTES
    contents = (b'{"type": "bench.happened", "data": {}, "more": "%s"}' % long, b'{"type": "%s' % long)
    requests = [
        b"POST /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (key.encode(), len(body), body)
        for body in contents
    ]
    await _repeated(port, _BODY_CONNECTIONS, requests)


async def gone(port: int, key: str) -> None:
    """Connections that ask a thousand times at once, read nothing, and go."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(_GONE_CONNECTIONS)]
    for _, writer in opened:
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n" * _PIPELINED)
    await asyncio.sleep(GONE_AFTER_SECONDS)
    for _, writer in opened:
        writer.transport.abort()


KINDS: dict[str, Callable[[int, str], Awaitable[None]]] = {
    "pings": pings,
    "headers": headers,
    "bodies": bodies,
    "gone": gone,
}


async def _repeated(port: int, connections: int, requests: list[bytes]) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for request in requests:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_again_and_again(port, once))


async def _again_and_again(port: int, once: Callable[..., Awaitable[None]]) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await once(reader, writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(AGAIN_SECONDS)


async def _read_all(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(65536):
            pass


@contextmanager
def running(kind: str, port: int, key: str, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """In another process while the block runs; it begins before the block does."""
    command = [sys.executable, "-m", "bench.attackers", kind, "--port", str(port), "--key", key]
    command += ["--seconds", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()


async def attack(kind: str, port: int, key: str, seconds: float) -> None:
    print(flush=True)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await KINDS[kind](port, key)


def main() -> None:
    parser = argparse.ArgumentParser(description="Clients that mean no good.")
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    uvloop.run(attack(arguments.kind, arguments.port, arguments.key, arguments.seconds))


if __name__ == "__main__":
    main()
