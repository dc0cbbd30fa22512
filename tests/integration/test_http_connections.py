"""Connections and those who misuse them: who has gone is not answered, and nobody can take the room of all others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
import uvloop
from starlette.types import Receive, Scope, Send

from ogel.runtime.http import connections, server
from ogel.runtime.http.http1 import Http1
from ogel.runtime.http.metrics import Traffic

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
OF_BOTH = pytest.mark.parametrize("loop", LOOPS)
SOME = b"GET /some HTTP/1.1\r\nHost: x\r\n\r\n"
WAIT = SOME.replace(b"some", b"wait")
LISTEN = SOME.replace(b"some", b"listen")
HEALTH = SOME.replace(b"some", b"health/live")
LAST = SOME.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@dataclass
class Door:
    """A server with hardly an application behind it: `/wait` waits, `/listen` until the client has gone."""

    begun: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    traffic: Traffic = field(default_factory=Traffic)
    port: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        body = await whole_body(receive) if scope["method"] == "POST" else scope["raw_path"]
        if scope["path"] == "/wait":
            self.waiting.set()
            await self.released.wait()
        if scope["path"] == "/listen":
            self.waiting.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def connect(self) -> socket.socket:
        """Blocking, so that it does exactly what it is told; the backlog answers."""
        return socket.create_connection(("127.0.0.1", self.port))

    async def ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not condition():
                await asyncio.sleep(0.01)


async def whole_body(receive: Receive) -> bytes:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    return body


@asynccontextmanager
async def a_door() -> AsyncIterator[Door]:
    door, sockets = Door(), server.bind("127.0.0.1", 0)
    server.listen(sockets)
    door.port = sockets[0].getsockname()[1]
    serving = asyncio.create_task(server.serve(door, sockets, door.stop, 5.0, door.traffic))
    try:
        yield door
    finally:
        door.released.set()
        door.stop.set()
        await serving


def told(loop: str, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(story(), 60))


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@OF_BOTH
@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_what_a_gone_client_asked_for_is_not_answered(
    loop: str, leave: Callable[[socket.socket], None]
) -> None:
    async def story() -> None:
        async with a_door() as door:
            for _ in range(10):
                client = door.connect()
                client.sendall(SOME * 1000)
                leave(client)
            await door.until(lambda: door.traffic.connections > 0 or door.begun > 0)
            await door.until(lambda: door.traffic.connections == 0)
            assert door.begun < 200

    told(loop, story)


@OF_BOTH
@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_who_listens_hears_of_it_past_all_that_waits(
    loop: str, leave: Callable[[socket.socket], None]
) -> None:
    async def story() -> None:
        async with a_door() as door:
            client = door.connect()
            client.sendall(LISTEN)
            await door.waiting.wait()
            client.sendall(SOME * 1000)  # so much that the rest is not read
            await door.until(lambda: door.traffic.received > len(SOME) * 1000)
            client.sendall(SOME * 1000)
            leave(client)
            async with asyncio.timeout(5):
                await door.left.wait()
            await door.until(lambda: door.traffic.connections == 0)
            assert door.begun < 100

    told(loop, story)


@OF_BOTH
def test_who_only_listens_from_now_on_is_answered(loop: str) -> None:
    posted = b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    chunks = b"POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks += b"1\r\ny\r\n" * 3000 + b"0\r\n\r\n"

    async def story() -> None:
        async with a_door() as door:
            for sent, answers, size in (
                (SOME * 3, 3, 15),
                (WAIT, 1, 5),
                (posted, 1, 300_000),
                (chunks + SOME, 2, 3005),
            ):
                asyncio.get_running_loop().call_later(0.05, door.released.set)
                reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
                writer.write(sent)
                writer.write_eof()
                raw = await reader.read()
                assert raw.count(b"HTTP/1.1 200 OK") == answers
                assert sum(len(each.partition(b"\r\n\r\n")[2]) for each in raw.split(b"HTTP/1.1")) == size
                writer.close()

    told(loop, story)


@OF_BOTH
def test_what_waits_for_its_turn_is_bounded(loop: str) -> None:
    async def story() -> None:
        async with a_door() as door:
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            count = 100_000
            writer.write(WAIT + SOME * count + LAST)
            await door.waiting.wait()
            for _ in range(100):
                await asyncio.sleep(0)
            assert door.traffic.received < 600_000
            assert door.begun == 1
            assert b"200 OK" in await door.ask(LAST)  # others are not held up
            door.released.set()
            await reader.readuntil(b"/wait")
            for _ in range(50):  # one takes turns with all others
                before = door.begun
                assert b"200 OK" in await door.ask(LAST)
                assert door.begun - before < 100
            writer.close()

    told(loop, story)


@OF_BOTH
def test_a_gone_client_does_not_delay_the_stop(loop: str) -> None:
    async def story() -> None:
        async with a_door() as door:
            clients = [door.connect() for _ in range(20)]
            for client in clients:
                client.sendall(SOME * 1000)
            await door.until(lambda: door.begun > 0)
            for client in clients:
                client.close()
            with structlog.testing.capture_logs() as logs:
                door.stop.set()
                await door.until(lambda: door.traffic.connections == 0)
        assert [each for each in logs if each["event"] == "http.cut_off"] == []

    told(loop, story)


@OF_BOTH
def test_an_application_that_breaks_its_answer(loop: str) -> None:
    """It is never taken for a whole one."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        how = scope["path"]
        headers = [] if how == "/line" else [(b"content-length", b"5")]
        if how == "/line":
            headers = [(b"a", b"b\r\nc: d")]
        if how != "/nothing":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        if how in ("/short", "/long", "/line"):
            await send({"type": "http.response.body", "body": b"x" * (3 if how == "/short" else 9)})
        if how == "/half":
            await send({"type": "http.response.body", "body": b"xyz", "more_body": True})

    async def story() -> None:
        async with a_door() as door:
            door.__class__ = type("Broken", (Door,), {"__call__": staticmethod(broken)})
            for how, status in (
                ("nothing", 500),
                ("line", 500),
                ("short", 500),
                ("long", 500),
                ("half", 200),
            ):
                raw = await door.ask(SOME.replace(b"some", how.encode()) + SOME)
                assert raw.startswith(b"HTTP/1.1 %d " % status), (how, raw)
                assert raw.count(b"HTTP/1.1 ") == 1
                assert how != "half" or raw.endswith(b"\r\n\r\nxyz")

    with structlog.testing.capture_logs():
        told(loop, story)


@OF_BOTH
def test_who_is_idle_makes_room(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_most", lambda: 6)

    async def story() -> None:
        async with a_door() as door:
            kept, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(SOME)
            await kept.readuntil(b"/some")
            strangers = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(5)]
            for _, stranger in strangers:
                stranger.write(SOME[:20])
            await door.until(lambda: door.traffic.connections == 6)
            with structlog.testing.capture_logs() as logs:
                for number in range(4):
                    assert b"200 OK" in await door.ask(LAST)
                    with contextlib.suppress(ConnectionError):
                        assert await strangers[number][0].read() == b""
                    strangers.append(await asyncio.open_connection("127.0.0.1", door.port))
                    await door.until(lambda: door.traffic.connections == 6)
            assert [each["event"] for each in logs] == ["http.crowded"]
            # Who has asked before is the last to go.
            writer.write(SOME)
            await kept.readuntil(b"/some")
            assert door.traffic.evicted >= 4
            for _, each in [(kept, writer), *strangers]:
                each.close()

    told(loop, story)


@OF_BOTH
def test_a_look_that_fails_ends_one_connection_and_the_others_are_looked_at(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[Http1] = []

    def look(self: Http1, now: float, stalled_seconds: float) -> None:
        broken[:] = broken or [self]
        if self in broken:
            raise RuntimeError
        self.close()

    async def story() -> None:
        monkeypatch.setattr(Http1, "look", look)
        async with a_door() as door:
            opened = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(3)]
            for reader, writer in opened:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
            await door.until(lambda: door.traffic.connections == 0)

    told(loop, story)


@OF_BOTH
def test_health_is_answered_when_there_is_no_room(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_most", lambda: 3)

    async def story() -> None:
        async with a_door() as door:
            busy = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(3)]
            for _, writer in busy:
                writer.write(WAIT)
            await door.until(lambda: door.begun == 3)
            silent = [door.connect() for _ in range(40)]
            for _ in range(3):
                assert (await door.ask(HEALTH * 2)).count(b"HTTP/1.1 200 OK") == 1
                refused = await door.ask(SOME)
                assert refused.startswith(b"HTTP/1.1 503 ") and b"retry-after: " in refused
            door.released.set()
            for reader, _ in busy:
                await reader.readuntil(b"/wait")
            assert door.traffic.refused[503] >= 3
            for each in silent:
                each.close()
            assert b"200 OK" in await door.ask(LAST)
            for _, writer in busy:
                writer.close()

    told(loop, story)


@OF_BOTH
def test_no_answer_has_our_word_to_go_on_within_it(loop: str) -> None:
    """As of a stream that looks whether its client is there, while that one waits to be asked for a body."""

    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await receive()
        await send({"type": "http.response.body", "body": b"b"})

    async def story() -> None:
        async with a_door() as door:
            door.__class__ = type("Streams", (Door,), {"__call__": staticmethod(streams)})
            asks = b"\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
            raw = await door.ask(SOME.replace(b"\r\n\r\n", asks))
            assert raw.startswith(b"HTTP/1.1 200 ") and raw.endswith(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")

    told(loop, story)
