"""WebSockets through the gateway: messages, subprotocols, pings, ends, and upstreams that refuse them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from ogel.runtime.process.vitals import resident_bytes
from tests.support.gateway import CALLER, Gateway, gateway, raw, scripted, upstream
from tests.support.http import story

MIB = 1024 * 1024
HANDSHAKE = (
    b"GET /s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@asynccontextmanager
async def talking(
    talk: Callable[[web.WebSocketResponse, web.Request], Awaitable[None]], options: str = "auth=open"
) -> AsyncIterator[Gateway]:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("chat.v2", "chat.v1"), autoping=True)
        await socket.prepare(request)
        await talk(socket, request)
        return socket

    async with upstream(handle) as url, gateway(f"/s={url};{options}") as gate:
        yield gate


async def echo(socket: web.WebSocketResponse, request: web.Request) -> None:
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(f"{request.raw_path} {message.data}")
        else:
            await socket.send_bytes(message.data)


@story
async def test_texts_and_bytes_go_both_ways() -> None:
    async with talking(echo) as gate, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{gate.url}/s/a?b=c") as socket:
            await socket.send_str("grüß ✨")
            assert await socket.receive_str() == "/a?b=c grüß ✨"
            await socket.send_bytes(b"\x00\xff" * 100_000)
            assert await socket.receive_bytes() == b"\x00\xff" * 100_000
            await socket.ping(b"?")
            await socket.send_str("")
            assert await socket.receive_str() == "/a?b=c "
            assert gate.metric("ogel_upstream_websockets", upstream="/s") == 1
        async with asyncio.timeout(5):
            while gate.metric("ogel_upstream_websockets", upstream="/s"):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(("chat.v1",), "chat.v1"), (("chat.v1", "chat.v2"), "chat.v1"), (("x",), None), ((), None)],
)
def test_the_upstream_chooses_the_subprotocol(offered: tuple[str, ...], chosen: str | None) -> None:
    async def go() -> None:
        async with (
            talking(echo) as gate,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{gate.url}/s", protocols=offered) as socket,
        ):
            assert socket.protocol == chosen

    story(go)()


@story
async def test_the_upstreams_end_is_the_clients() -> None:
    async def end(socket: web.WebSocketResponse, request: web.Request) -> None:
        await socket.close(code=4123, message=b"so it is")

    async with (
        talking(end) as gate,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gate.url}/s") as socket,
    ):
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4123, "so it is")


@story
async def test_the_clients_end_is_the_upstreams() -> None:
    heard: asyncio.Queue[int | None] = asyncio.Queue()

    async def note(socket: web.WebSocketResponse, request: web.Request) -> None:
        async for _ in socket:
            pass
        await heard.put(socket.close_code)

    async with talking(note) as gate, aiohttp.ClientSession() as session:
        for code, expected in ((4001, 4001), (1000, 1000), (None, 1001)):
            socket = await session.ws_connect(f"{gate.url}/s")
            if code is None:
                socket._response.connection.transport.abort()  # type: ignore[union-attr]
            else:
                await socket.close(code=code)
            async with asyncio.timeout(5):
                assert await heard.get() == expected
            await socket.close()


@story
async def test_an_upstream_that_is_gone_without_a_word_is_a_bad_gateway() -> None:
    async def die(socket: web.WebSocketResponse, request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()

    async with (
        talking(die) as gate,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gate.url}/s") as socket,
    ):
        message = await socket.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1014)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: so\r\n\r\nno", 403),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 302),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 502),
        (b"", 502),
    ],
)
def test_an_upgrade_that_is_refused(said: bytes, status: int) -> None:
    async def go() -> None:
        async with scripted(said) as server, gateway(f"/s={server.url};auth=open;retries=0") as gate:
            answer = await raw(gate, HANDSHAKE)
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert (b"x-why: so" in answer, b"location: /elsewhere" in answer) == (
                status == 403,
                status == 302,
            )
            assert server.asked == (2 if not said else 1)  # aiohttp asks again where it got nothing
            assert "sec-websocket-key" in server.seen[0].decode().lower()

    story(go)()


@story
async def test_our_key_in_the_query_is_not_passed_on() -> None:
    async with talking(echo, "auth=key") as gate, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{gate.url}/s?a=1&key=caller&%6bey=x&b=2") as socket:
            await socket.send_str("hi")
            assert await socket.receive_str() == "/?a=1&b=2 hi"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{gate.url}/s?key=wrong")
        assert refused.value.status == 401


@story
async def test_it_ends_with_the_callers_key() -> None:
    async with talking(echo, "auth=key") as gate, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{gate.url}/s", headers=CALLER) as socket:
            await socket.send_str("hi")
            await socket.receive_str()
            [on_end] = gate.ended
            on_end("revoked")
            message = await socket.receive()
            assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4401, "key revoked")
        async with asyncio.timeout(5):
            while gate.ended:
                await asyncio.sleep(0.01)


@story
async def test_a_client_that_reads_nothing_holds_the_upstream_back() -> None:
    sent = 0

    async def flood(socket: web.WebSocketResponse, request: web.Request) -> None:
        nonlocal sent
        while True:
            await socket.send_bytes(b"x" * 65536)
            sent += 65536

    async with talking(flood) as gate:
        before = resident_bytes()
        _, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(HANDSHAKE)
        await asyncio.sleep(1.0)
        held = sent
        await asyncio.sleep(0.5)
        assert sent == held
        assert resident_bytes() - before < 32 * MIB
        writer.transport.abort()


@story
async def test_two_hundred_at_once() -> None:
    async with (
        talking(echo) as gate,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        sockets = await asyncio.gather(*(session.ws_connect(f"{gate.url}/s") for _ in range(200)))
        for round_ in range(3):
            await asyncio.gather(*(each.send_str(str(round_)) for each in sockets))
            assert {await each.receive_str() for each in sockets} == {f"/ {round_}"}
        assert gate.metric("ogel_upstream_websockets", upstream="/s") == 200
        await asyncio.gather(*(each.close() for each in sockets))
