"""What a connection held is gone with it, however it ends: nothing of it waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc

import pytest
import uvloop

from ogel.runtime.http.http1 import Http1
from ogel.runtime.http.incoming import Incoming
from ogel.runtime.http.upgrade import Upgrade
from ogel.runtime.http.websocket import BoundedWebSocket, Session
from tests.support.collector import no_collector
from tests.support.http import WRITER, running

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/things HTTP/1.1\r\nHost: x\r\n"
KEY = f"Authorization: {WRITER['Authorization']}\r\n".encode()
SHAKE = (
    b"GET /realtime/ws?key=1 HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
# Two steps of each client, who reads something after each, and then hangs up.
WAYS: dict[str, tuple[bytes, bytes]] = {
    "asked for the last time": (GET + b"Connection: close\r\n\r\n", b""),
    "kept its connection": (GET + b"\r\n", GET + b"\r\n"),
    "was refused, with its body": (
        POST + b"Connection: close\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000,
        b"",
    ),
    "was refused before its body": (POST + KEY + b"Content-Length: 9000000\r\n\r\n" + b"x" * 60_000, b""),
    "sent no request": (GET + b"A\r\n\r\n", b""),
    "sent no chunk": (POST + KEY + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", b""),
    "closed its WebSocket": (SHAKE, b"\x88\x80aaaa"),
    "left its WebSocket": (SHAKE, b""),
    "left in the middle of a message": (SHAKE, b"\x81\x82aaaa__\x01\xfe\x40\x00aaaa" + b"x" * 1000),
    "was refused its WebSocket": (SHAKE.replace(b"?key=1", b""), b""),
    "broke a WebSocket": (SHAKE, b"\x81\x84\0\0\0\0fail"),
}


def left_over() -> list[str]:
    kinds = (Http1, Incoming, Upgrade, Session, BoundedWebSocket)
    return [type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds)]


async def come_and_go(port: int, steps: tuple[bytes, bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for step in filter(None, steps):
        writer.write(step)
        assert await reader.read(1000)
    writer.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_of_who(way: str, loop: str) -> None:
    async def story() -> None:
        async with running() as world:
            await come_and_go(world.port, WAYS[way])  # what is remembered for good is remembered at the first
            while world.traffic.connections:
                await asyncio.sleep(0.02)
            with no_collector():
                await come_and_go(world.port, WAYS[way])
                async with asyncio.timeout(10):
                    while world.traffic.connections or left_over():
                        await asyncio.sleep(0.02)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(story(), 30))
