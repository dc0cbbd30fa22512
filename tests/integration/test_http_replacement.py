"""One server follows another while requests keep coming: none is refused an answer it was promised."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from ogel.cli.process import event_loop
from ogel.kernel.errors import ConfigError
from ogel.runtime.http import acceptor, server
from ogel.runtime.http.connections import Connections
from ogel.runtime.http.metrics import Traffic
from tests.support.http import running, story

REQUEST = b"GET /api/things/special HTTP/1.1\r\nhost: h\r\nauthorization: Bearer key\r\n\r\n"
CLIENTS = 50


async def answer_on(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head, and what follows it until the server hangs up."""
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        return head.lower(), await reader.read()


@story
async def test_a_port_refuses_until_it_is_listened_on_and_a_second_listener_is_told() -> None:
    first, second = server.bind("127.0.0.1", 0), None
    port = first[0].getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    second = server.bind("127.0.0.1", port)  # as long as nobody listens
    server.listen(first)
    try:
        with pytest.raises(ConfigError, match=str(port)):
            server.listen(second)
        with pytest.raises(ConfigError, match=str(port)):
            server.bind("127.0.0.1", port)
    finally:
        for each in (*first, *second):
            each.close()


class Exhausted:
    """A listener of a process that has no file left, for once."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.tries = 0

    def fileno(self) -> int:
        return self._listener.fileno()

    def accept(self) -> tuple[socket.socket, object]:
        self.tries += 1
        if self.tries == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()

    def close(self) -> None:
        self._listener.close()


def test_without_a_file_left_the_acceptor_tries_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "_PAUSE_SECONDS", 0.1)

    async def accepting() -> None:
        (listener,) = server.bind("127.0.0.1", 0)
        server.listen([listener])
        exhausted, house = Exhausted(listener), Connections(nothing, Traffic())
        accepting = acceptor.Acceptor([exhausted], house)  # type: ignore[list-item]
        accepting.start()
        with socket.create_connection(listener.getsockname()):
            async with asyncio.timeout(10):
                while not house.traffic.connections:
                    await asyncio.sleep(0.01)
        assert exhausted.tries <= 4
        accepting.stop(16)
        await house.drain(10)

    async def nothing(*_: object) -> None: ...

    asyncio.run(accepting())
    with event_loop() as runner:  # the one that production runs on
        runner.run(accepting())


def test_without_a_file_left_at_the_stop_nothing_is_tried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "_PAUSE_SECONDS", 0.01)

    async def stopping() -> None:
        wrong: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        (listener,) = server.bind("127.0.0.1", 0)
        server.listen([listener])
        exhausted, house = Exhausted(listener), Connections(nothing, Traffic())
        accepting = acceptor.Acceptor([exhausted], house)  # type: ignore[list-item]
        accepting.start()
        accepting.stop(16)
        assert exhausted.tries == 1
        await asyncio.sleep(0.05)
        assert wrong == []

    async def nothing(*_: object) -> None: ...

    asyncio.run(stopping())
    with event_loop() as runner:
        runner.run(stopping())


@story
async def test_a_request_to_an_idle_connection_is_answered_after_the_stop() -> None:
    async with running() as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(REQUEST)
        assert b"connection: close" not in (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readuntil(b"one 1\n")
        stopping = asyncio.create_task(world.stopped())
        await asyncio.sleep(0.1)
        writer.write(REQUEST)
        head, body = await answer_on(reader)
        assert head.startswith(b"http/1.1 200")
        assert b"\r\nconnection: close\r\n" in head
        assert body == b"one 1\n"
        writer.close()
        await stopping


@story
async def test_who_waits_in_the_backlog_is_answered() -> None:
    async with running() as world:
        clients = [socket.create_connection(("127.0.0.1", world.port)) for _ in range(CLIENTS)]
        world.stop.set()  # before the loop had a chance to accept one of them
        stopping = asyncio.create_task(world.stopped())
        for each in clients:
            each.sendall(REQUEST)
        for each in clients:
            each.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=each)
            head, _ = await answer_on(reader)
            assert head.startswith(b"http/1.1 200")
            assert b"\r\nconnection: close\r\n" in head
            writer.close()
        await stopping
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", world.port)
