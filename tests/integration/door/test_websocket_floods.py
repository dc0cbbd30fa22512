"""WebSockets in the hands of those who flood them, or who only half shake hands; others are served meanwhile."""

from __future__ import annotations

import pytest

from ogel.runtime.http import websocket as http_websocket
from tests.support.door import answers, door, exchange, going_on, others_are_served, wire
from tests.support.frames import (
    BINARY,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    TEXT,
    close,
    frame,
    handshake,
    text,
    websocket,
)
from tests.support.http import story
from tests.support.http_corpus import AFTER, HIDDEN, REFUSALS
from tests.support.sessions import taking_door

LINGER_SECONDS = 0.2
TOO_MUCH, TOO_LARGE = 1008, 1009
MEGABYTE = 1024 * 1024
# An ASGI application, and a connection that realtime has taken over.
DOORS = {"an application": door, "realtime": taking_door}

# What is sent once, then again and again; and what may end it.
FLOODS = {
    "pings": (b"", frame(PING, b"x" * 125) * 50, {TOO_MUCH}),
    "empty pings": (b"", frame(PING) * 50, {TOO_MUCH}),
    "pongs nobody asked for": (b"", frame(PONG, b"x") * 50, {TOO_MUCH}),
    "empty pieces": (frame(TEXT, fin=False), frame(CONTINUATION, fin=False) * 50, {TOO_MUCH}),
    "pieces of a byte": (
        frame(TEXT, fin=False),
        frame(CONTINUATION, b"x", fin=False) * 50,
        {TOO_MUCH, TOO_LARGE},
    ),
    "pings between pieces": (frame(TEXT, b"x", fin=False), frame(PING, b"x") * 50, {TOO_MUCH}),
    "empty messages": (b"", frame(TEXT) * 50, {TOO_MUCH}),
    "short messages": (b"", text("x") * 50, {TOO_MUCH}),
    "large messages": (b"", frame(BINARY, b"x" * 100_000) * 2, {TOO_MUCH}),
    "pieces without end": (
        frame(BINARY, fin=False),
        frame(CONTINUATION, b"x" * 65_000, fin=False),
        {TOO_LARGE, TOO_MUCH},
    ),
    "a frame without end": (frame(BINARY, declared=2**40), b"x" * 65_000, {TOO_LARGE, TOO_MUCH}),
}


@pytest.fixture(autouse=True)
def shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time to read why one is refused, which floods spend on flooding: 12 s of CPU."""
    monkeypatch.setattr(http_websocket, "LINGER_SECONDS", LINGER_SECONDS)


@pytest.mark.parametrize("at", DOORS)
@pytest.mark.parametrize("flood", FLOODS)
def test_floods_are_ended(flood: str, at: str) -> None:
    first, again, codes = FLOODS[flood]

    @story
    async def told() -> None:
        async with DOORS[at]() as recorder, websocket(recorder.port) as session:
            session.wire.write(first)
            async with going_on(session.wire.pour(again)):
                await others_are_served(recorder.port)
                assert await session.wire.end()
            assert session.closed_with in codes

    told()


@pytest.mark.parametrize("at", DOORS)
def test_many_floods_at_once_hurt_nobody(at: str) -> None:
    async def pour(port: int) -> None:
        while True:
            async with websocket(port) as session:
                await session.wire.pour(frame(PING, b"x" * 125) * 500)

    @story
    async def told() -> None:
        async with DOORS[at]() as recorder, going_on(*(pour(recorder.port) for _ in range(20))):
            await others_are_served(recorder.port)

    told()


@story
async def test_who_floods_and_does_not_read_is_ended_too() -> None:
    """Though it would not see why: its pongs are not kept for ever."""
    async with door() as recorder, websocket(recorder.port) as session:
        session.wire.hold()
        async with going_on(session.wire.pour(frame(PING, b"x" * 125) * 500)):
            await others_are_served(recorder.port)
            assert await session.wire.end()


@story
async def test_a_lively_client_is_none() -> None:
    """What chats and games send: dozens of messages at once, then some a second, and pings between."""
    async with door() as recorder, websocket(recorder.port) as session:
        for turn in (1, 2, 3):
            session.wire.write(text("hello") * 20 + frame(PING, b"there?"))
            await session.until(lambda got, turn=turn: len(got) >= 21 * turn)
        session.wire.write(close())
        assert await session.wire.end()
        assert session.closed_with == 1000
        assert [each.opcode for each in session.frames].count(TEXT) == 60


@story
async def test_a_large_message_is_taken_and_a_larger_one_refused() -> None:
    async with door() as recorder:
        for size, code in ((MEGABYTE, 1000), (MEGABYTE + 1, TOO_LARGE)):
            for pieces in (1, 4):
                async with websocket(recorder.port) as session:
                    session.wire.write(message(b"x" * size, pieces))
                    await session.until(lambda got: any(each.fin for each in got))
                    session.wire.write(close())
                    assert await session.wire.end()
                    assert session.closed_with == code, (size, pieces)


def message(payload: bytes, pieces: int) -> bytes:
    size = -(-len(payload) // pieces)
    return b"".join(
        frame(BINARY if n == 0 else CONTINUATION, payload[n * size : (n + 1) * size], fin=n == pieces - 1)
        for n in range(pieces)
    )


@story
async def test_half_a_frame_hurts_nobody() -> None:
    async with door() as recorder:
        for part in (1, 3, 7, 20):
            async with websocket(recorder.port) as session:
                session.wire.write(frame(TEXT, b"x" * 100)[:part])
                await others_are_served(recorder.port, 2)


GOOD = handshake()
# Statuses that may answer; 200: it is an ordinary request to the application.
HANDSHAKES = {
    "no key": (GOOD.replace(b"Sec-WebSocket-Key: " + KEY + b"\r\n", b""), REFUSALS | {426}),
    "no version": (GOOD.replace(b"Sec-WebSocket-Version: 13\r\n", b""), REFUSALS | {426}),
    "version 8": (GOOD.replace(b"Version: 13", b"Version: 8"), REFUSALS | {426}),
    "version 14": (GOOD.replace(b"Version: 13", b"Version: 14"), REFUSALS | {426}),
    "a version that is none": (GOOD.replace(b"Version: 13", b"Version: x"), REFUSALS | {426}),
    "HTTP/1.0": (GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"), REFUSALS | {200, 426}),
    "POST": (GOOD.replace(b"GET", b"POST"), REFUSALS | {200, 426}),
    "HEAD": (GOOD.replace(b"GET", b"HEAD"), REFUSALS | {200, 426}),
    "no option": (GOOD.replace(b"Connection: Upgrade", b"Connection: keep-alive"), REFUSALS | {200, 426}),
    "another protocol": (GOOD.replace(b"Upgrade: websocket", b"Upgrade: web"), REFUSALS | {200, 426}),
    "no host": (GOOD.replace(b"Host: x\r\n", b""), REFUSALS),
    "a body": (
        GOOD.replace(b"Host: x\r\n", b"Host: x\r\nContent-Length: 5\r\n") + b"12345",
        REFUSALS | {101},
    ),
    "a chunked body": (
        GOOD.replace(b"Host: x\r\n", b"Host: x\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
        REFUSALS | {101},
    ),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_who_shakes_hands_wrongly(name: str) -> None:
    """Is refused or answered as anybody; and no request is taken out of what comes for frames, after a refusal."""
    sent, statuses = HANDSHAKES[name]

    @story
    async def told() -> None:
        async with door() as recorder:
            seen = await exchange(recorder.port, sent + HIDDEN + AFTER)
            method = sent.partition(b" ")[0].decode()
            first, *more = answers(seen.received, [method])
            assert first.status in statuses, first
            assert seen.hung_up
            asked = [request.name for _, request in recorder.requests]
            if first.status == 200:
                assert asked[0] == "ws"
            else:
                assert (asked, more) == ([], [])

    told()


SPELLINGS = {
    "capitals": GOOD.replace(b"Upgrade: websocket", b"UPGRADE: WEBSOCKET"),
    "a list": GOOD.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"),
    "lower case": GOOD.replace(b"Connection: Upgrade", b"connection: upgrade"),
    "protocols": GOOD.replace(b"Host: x\r\n", b"Host: x\r\nSec-WebSocket-Protocol: chat, superchat\r\n"),
    "extensions": GOOD.replace(
        b"Host: x\r\n",
        b"Host: x\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x\r\n",
    ),
    "an origin": GOOD.replace(b"Host: x\r\n", b"Host: x\r\nOrigin: null\r\n"),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_how_hands_may_be_shaken(name: str) -> None:
    @story
    async def told() -> None:
        async with door() as recorder, wire(recorder.port) as client:
            client.write(SPELLINGS[name])
            await client.until(lambda: b"\r\n\r\n" in client.received)
            head = bytes(client.received).lower()
            assert head.startswith(b"http/1.1 101 ")
            assert b"sec-websocket-protocol" not in head and b"sec-websocket-extensions" not in head
            client.write(close())
            assert await client.end()

    told()


@pytest.mark.parametrize("version", [b"8", b"0", b"14", b"13, 8", b"x"])
def test_who_speaks_another_version_hears_which_one_is_spoken(version: bytes) -> None:
    @story
    async def told() -> None:
        async with door() as recorder, wire(recorder.port) as client:
            client.write(GOOD.replace(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: " + version))
            assert await client.end()
            head = bytes(client.received).lower()
            assert head.startswith(b"http/1.1 426 ")
            assert b"\r\nsec-websocket-version: 13\r\n" in head and b"\r\nupgrade: websocket\r\n" in head

    told()


@story
async def test_half_a_handshake_hurts_nobody() -> None:
    async with door() as recorder:
        for size in range(1, len(GOOD), 20):
            async with wire(recorder.port) as client:
                client.write(GOOD[:size])
                await others_are_served(recorder.port, 1)
        assert {request.name for _, request in recorder.requests} == {"others"}
