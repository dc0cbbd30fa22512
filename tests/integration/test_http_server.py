"""The server under the shell: its sockets, WebSocket sessions, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import aiohttp
import pytest
import structlog

from ogel.kernel.errors import ConfigError
from ogel.runtime.http import connections, http1, server
from tests.support.http import running, story


@story
async def test_websockets() -> None:
    async with running() as world, aiohttp.ClientSession() as session:
        async with session.ws_connect(world.url + "/realtime/ws?key=k") as websocket:
            await websocket.send_str("hello")
            assert (await websocket.receive()).data == "127.0.0.1 hello"
            await websocket.send_str("fail")
            with structlog.testing.capture_logs() as logs:
                assert (await websocket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert websocket.close_code == 1011
            assert "http.error" in [each["event"] for each in logs]
        for path, status in (("/realtime/ws", 401), ("/realtime/other", 404)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(world.url + path)
            assert refused.value.status == status


@story
async def test_a_websocket_that_the_client_closes_is_no_error() -> None:
    async with running() as world, aiohttp.ClientSession() as session:
        with structlog.testing.capture_logs() as logs:
            async with session.ws_connect(world.url + "/realtime/ws?key=k") as websocket:
                await websocket.send_str("hello")
                await websocket.receive()
            await world.stopped()
        (line,) = [each for each in logs if each["event"] == "http.request"]
        assert (line["method"], line["path"], line["status"]) == ("WEBSOCKET", "/realtime/ws", 101)


@story
async def test_stopping_finishes_what_is_in_flight() -> None:
    async with running() as world, aiohttp.ClientSession() as session:
        idle = await asyncio.open_connection("127.0.0.1", world.port)
        answer = asyncio.create_task(session.get(world.url + "/api/wait"))
        await world.entered.wait()
        world.stop.set()
        assert await idle[0].read() == b""  # idle connections are hung up on
        idle[1].close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", world.port)
        world.released.set()
        response = await answer
        assert await response.json() == "done"
        assert world.serving is not None
        await world.serving


@story
async def test_stopping_does_not_wait_for_ever() -> None:
    async with running(drain_seconds=0.1) as world, aiohttp.ClientSession() as session:
        answer = asyncio.create_task(session.get(world.url + "/api/wait"))
        await world.entered.wait()
        with structlog.testing.capture_logs() as logs:
            await world.stopped()
        assert (await answer).status == 503
        assert "http.cut_off" in [each["event"] for each in logs]


@story
async def test_a_connection_that_its_client_has_left_is_over_at_once() -> None:
    async with running() as world:
        for sent in (b"", b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /health/li"):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(sent)
            if sent.endswith(b"\r\n\r\n"):
                await reader.readuntil(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(http1.KEEP_ALIVE_SECONDS / 4):
            while world.traffic.connections:
                await asyncio.sleep(0.01)


def test_a_peer_that_stops_reading_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS_STOPPING", 0.2)
    a_peer_that_stops_reading()


@story
async def a_peer_that_stops_reading() -> None:
    async with running() as world:
        _reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
        with structlog.testing.capture_logs() as logs:
            writer.write(b"GET /api/large HTTP/1.1\r\nHost: x\r\n\r\n")
            # The server ends the connection by itself, though nobody reads the answer.
            await world.entered.wait()
            await world.stopped()
        assert "http.cut_off" not in [each["event"] for each in logs]
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@story
async def test_everywhere_is_both_families() -> None:
    async with running(host="::") as world, aiohttp.ClientSession() as session:
        for host in ("127.0.0.1", "[::1]"):
            async with session.get(f"http://{host}:{world.port}/health/live") as response:
                assert response.status == 200


@story
async def test_localhost_is_both_loopbacks_on_one_port() -> None:
    async with running(host="localhost") as world, aiohttp.ClientSession() as session:
        for host in ("127.0.0.1", "[::1]"):
            async with session.get(f"http://{host}:{world.port}/health/live") as response:
                assert response.status == 200


def test_without_ipv6_everywhere_is_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = server._bind

    def bind(host: str, port: int, shared: bool, *, dual_stack: bool = False) -> socket.socket:
        if ":" in host:
            raise OSError(97, "Address family not supported by protocol")
        return real("127.0.0.1" if host == "0.0.0.0" else host, port, shared)

    monkeypatch.setattr(server, "_bind", bind)
    for host in ("::", "localhost"):
        (only,) = server.bind(host, 0)
        assert only.family == socket.AF_INET
        only.close()


def test_a_port_that_is_taken_is_a_wrong_setting() -> None:
    (taken,) = server.bind("127.0.0.1", 0)
    server.listen([taken])
    port = taken.getsockname()[1]
    try:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(ConfigError, match=str(port)):
                server.bind(host, port)
        for host, wrong in (("127.0.0.1", 70_000), ("not an address", 0)):
            with pytest.raises(ConfigError):
                server.bind(host, wrong)
    finally:
        taken.close()
