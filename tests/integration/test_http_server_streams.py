"""Streams and those who misuse them: nobody may hold more of the server than its bounds, nor for longer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import structlog
from starlette.websockets import WebSocket

from ogel.runtime.http import connections, websocket
from ogel.runtime.http.allowance import Rates
from ogel.runtime.http.websocket import MAX_MESSAGE_BYTES
from tests.support.http import World, ask, ask_raw, running, story

UPGRADE = (
    b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n"
)
TOO_BIG = b"\x88\x02\x03\xf1"  # a close frame with 1009
BROKEN = b"\x03\xea"  # in a close frame, 1002
TOO_MUCH = b"\x03\xf0"  # in a close frame, 1008
TEXT, BINARY, PING, PONG = 0x81, 0x82, 0x89, 0x8A


class Streams:
    """Sessions of every temper; each says when it has begun, and how it ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended: asyncio.Queue[str] = asyncio.Queue()

    def world(self) -> World:
        return World(more_streams={"/listen": self.listen, "/leave": self.leave, "/pour": self.pour})

    async def listen(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.begun.set()
        while (message := await websocket.receive())["type"] == "websocket.receive":
            pass
        await self.ended.put(message["type"])

    async def leave(self, websocket: WebSocket) -> None:
        """After the first message, whatever else the client has to say."""
        await websocket.accept()
        await websocket.receive()
        await websocket.close()
        await self.ended.put("left")

    async def pour(self, websocket: WebSocket) -> None:
        """Much more than anyone reads."""
        await websocket.accept()

        async def pouring() -> None:
            while True:
                await websocket.send_bytes(b"x" * 1_000_000)
                self.begun.set()
                await asyncio.sleep(0)  # to a closed connection, `send` would not pause at all

        task = asyncio.create_task(pouring())
        await self.ended.put((await websocket.receive())["type"])
        task.cancel()


def frame(payload: bytes, kind: int = TEXT, declared: int | None = None) -> bytes:
    """From a client (RFC 6455 §5.2), masked with zeros, which changes nothing."""
    length = (declared or len(payload)).to_bytes(8, "big")
    head = b"\xff" + length if int.from_bytes(length, "big") > 0xFFFF else bytes([0x80 | len(payload)])
    return bytes([kind]) + head + bytes(4) + payload


@asynccontextmanager
async def open_websocket(
    world: World, path: bytes, headers: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=4096)
    try:
        writer.write(UPGRADE % (path, headers))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"extensions" not in head.lower()
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@story
async def test_messages_are_not_compressed() -> None:
    async with (
        running() as world,
        aiohttp.ClientSession(world.url) as session,
        session.ws_connect("/realtime/ws?key=k", compress=15) as websocket,
    ):
        assert not websocket.compress
        await websocket.send_str("hello")
        assert (await websocket.receive()).data == "127.0.0.1 hello"
    streams = Streams()
    deflate = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    async with (
        running(streams.world()) as world,
        open_websocket(world, b"/listen", deflate) as (reader, writer),
    ):
        writer.write(frame(b"\x00", TEXT | 0x40))  # RSV1: compressed all the same
        assert (await reader.read())[2:4] == BROKEN
        assert await streams.ended.get() == "websocket.disconnect"


@story
async def test_a_message_too_large_is_refused_with_a_reason() -> None:
    async with (
        running() as world,
        aiohttp.ClientSession(world.url) as session,
        session.ws_connect("/realtime/ws?key=k", max_msg_size=0) as websocket,
    ):
        fits = "x" * MAX_MESSAGE_BYTES
        await websocket.send_str(fits)
        assert (await websocket.receive()).data == f"127.0.0.1 {fits}"
        await websocket.send_str("x" * (3 * MAX_MESSAGE_BYTES))
        closed = await websocket.receive()
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1009)


@pytest.mark.parametrize("fragmented", [False, True])
def test_a_message_without_end_is_cut_off(fragmented: bool) -> None:
    @story
    async def told() -> None:
        streams = Streams()
        async with running(streams.world()) as world, open_websocket(world, b"/listen") as (reader, writer):
            chunk = b"x" * 65_536
            if fragmented:
                begin, chunk = frame(b"", 0x02), frame(chunk, 0x00)
            else:
                begin = frame(b"", BINARY, declared=1 << 40)
            reason = asyncio.create_task(reader.readexactly(len(TOO_BIG)))
            writer.write(begin)
            with pytest.raises(ConnectionError):
                while True:
                    writer.write(chunk)
                    await writer.drain()
            assert await streams.ended.get() == "websocket.disconnect"
            assert await reason == TOO_BIG

    told()


FLOODS = {
    "pings": (b"", frame(b"x" * 125, PING)),
    "pongs": (b"", frame(b"", PONG)),
    "messages": (b"", frame(b"hello")),
    "empty messages": (b"", frame(b"")),
    "fragments": (frame(b"a", 0x01), frame(b"b", 0x00)),
    "empty fragments": (frame(b"", 0x02), frame(b"", 0x00)),
    "pings between fragments": (frame(b"", 0x02), frame(b"", PING)),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_who_sends_frames_without_pause_is_refused(flood: str) -> None:
    begin, again = FLOODS[flood]

    @story
    async def told() -> None:
        streams = Streams()
        async with running(streams.world()) as world, open_websocket(world, b"/listen") as (reader, writer):
            answered = asyncio.create_task(reader.read())
            writer.write(begin)
            with contextlib.suppress(ConnectionError):
                for _ in range(200):
                    writer.write(again * 50)
                    await writer.drain()
            assert await streams.ended.get() == "websocket.disconnect"
            with contextlib.suppress(ConnectionError):
                assert TOO_MUCH in await answered

    told()


@story
async def test_who_sends_some_frames_at_once_is_answered() -> None:
    async with running(Streams().world()) as world, open_websocket(world, b"/listen") as (reader, writer):
        writer.write(frame(b"x", PING) * 80)
        assert await reader.readexactly(3 * 80) == b"\x8a\x01x" * 80


def test_who_sends_more_bytes_than_it_may_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a few at a time, too: each packet counts as many."""
    monkeypatch.setattr(websocket, "RATES", Rates(bytes_per_second=100, bytes_at_once=50_000))

    @story
    async def told() -> None:
        for piece in (30_000, 1):
            streams = Streams()
            async with running(streams.world()) as world, open_websocket(world, b"/listen") as (_, writer):
                writer.write(frame(b"", BINARY, declared=1_000_000))
                with contextlib.suppress(ConnectionError):
                    for _ in range(600):
                        writer.write(b"x" * piece)
                        await writer.drain()
                        await asyncio.sleep(0.001)  # a packet each
                        if not streams.ended.empty():
                            break
                assert await streams.ended.get() == "websocket.disconnect"

    told()


@story
async def test_a_session_that_ends_in_a_flood_leaves_nothing_behind() -> None:
    streams = Streams()
    with structlog.testing.capture_logs() as logs:
        async with running(streams.world()) as world, open_websocket(world, b"/leave") as (reader, writer):
            # More than the server keeps for the application, which reads one.
            writer.write(frame(b"x") * 100)
            assert await streams.ended.get() == "left"
            assert await reader.read() == b"\x88\x02\x03\xe8"
            await world.stopped()
    assert "http.cut_off" not in [each["event"] for each in logs]


@story
async def test_words_before_the_handshake_is_answered_end_the_session() -> None:
    streams = Streams()
    async with running(streams.world()) as world:
        raw = await ask_raw(world, UPGRADE % (b"/listen", b"") + frame(b"hello"))
        assert raw.startswith(b"HTTP/1.1 400 ")
        assert await streams.ended.get() == "websocket.disconnect"


@story
async def test_who_cannot_shake_hands_is_hung_up_on() -> None:
    async with running() as world:
        raw = await ask_raw(
            world, (UPGRADE % (b"/realtime/ws?key=k", b"")).replace(b"Version: 13", b"Version: 8")
        )
        assert raw.startswith(b"HTTP/1.1 426 ")


@story
async def test_an_answer_that_is_none_is_not_sent() -> None:
    """A subprotocol that the client has not offered, for one: it is refused instead."""

    async def wrong(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="mine")

    with structlog.testing.capture_logs() as logs:
        async with running(World(more_streams={"/wrong": wrong})) as world:
            for offered in (b"", b"yours, \xfc"):
                field = b"Sec-WebSocket-Protocol: %b\r\n" % offered
                assert (await ask_raw(world, UPGRADE % (b"/wrong", field))).startswith(b"HTTP/1.1 403 ")
            field = b"Sec-WebSocket-Protocol: yours, mine\r\n"
            raw = await ask_raw(world, UPGRADE % (b"/wrong", field))
            assert b"\r\nsec-websocket-protocol: mine\r\n" in raw
    assert [each["log_level"] for each in logs].count("error") == 2


@story
async def test_http_2_is_left_to_the_proxy() -> None:
    async with running() as world:
        offer = {
            "Connection": "Upgrade, HTTP2-Settings",
            "Upgrade": "h2c",
            "HTTP2-Settings": "AAMAAABkAAQAAP__",
        }
        assert (await ask(world, "GET", "/health/live", headers=offer)).status == 200
        raw = await ask_raw(world, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 505 ")


def test_a_listener_that_stopped_reading_does_not_hold_up_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS_STOPPING", 0.2)

    @story
    async def told() -> None:
        streams = Streams()
        with structlog.testing.capture_logs() as logs:
            async with running(streams.world(), drain_seconds=30) as world, open_websocket(world, b"/pour"):
                await streams.begun.wait()
                async with asyncio.timeout(5):
                    await world.stopped()
        assert await streams.ended.get() == "websocket.disconnect"
        assert [each["event"] for each in logs if each["event"].startswith("http.")] == [
            "http.stalled",
            "http.request",
        ]

    told()


def test_a_listener_that_stopped_reading_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.2)

    @story
    async def told() -> None:
        streams = Streams()
        async with running(streams.world()) as world, open_websocket(world, b"/pour"):
            assert await streams.ended.get() == "websocket.disconnect"

    told()


def test_a_slow_reader_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS_STOPPING", 1.0)

    @story
    async def told() -> None:
        async with running(drain_seconds=30) as world:
            with socket.create_connection(("127.0.0.1", world.port)) as client:
                client.setblocking(False)
                reader, writer = await asyncio.open_connection(sock=client, limit=65_536)
                writer.write(b"GET /api/large HTTP/1.1\r\nHost: x\r\n\r\n")
                await world.entered.wait()
                stopping = asyncio.create_task(world.stopped())
                received = 0
                # Longer in all than a silence may be.
                for _ in range(12):
                    await asyncio.sleep(0.1)  # not to wait for anything: this is what makes it slow
                    received += len(await reader.readexactly(2_000_000))
                received += len(await reader.read(-1))
                await stopping
                writer.close()
        assert received > 30_000_000

    told()
