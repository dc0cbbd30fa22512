"""Realtime when Redis is slow to hear, away, restarted or silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.asyncio.connection import Connection
from structlog.testing import capture_logs

from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.redis import pubsub
from ogel.adapters.redis.pubsub import RedisBroadcast
from ogel.runtime.realtime.publication import PUBLICATIONS
from tests.support.realtime import (
    LIMIT_SECONDS,
    a_world,
    an_event,
)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedServers]:
    with EmbeddedServers.start(tmp_path / "servers", postgres=False) as running:
        yield running


def test_after_a_redis_restart_messages_flow_again(
    own_redis: EmbeddedServers, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        states: asyncio.Queue[bool] = asyncio.Queue()
        async with a_world(own_redis.redis_url or "", database_url) as world, world.websocket() as socket:
            listening = asyncio.create_task(
                world.broadcast.listen({PUBLICATIONS: lambda payload: None}, states.put_nowait, world.stop)
            )
            assert await states.get() is True
            await world.say(an_event("before"))
            assert (await socket.receive_json())["event"]["type"] == "before"

            await asyncio.to_thread(own_redis.stop_redis)
            assert await states.get() is False
            with monkeypatch.context() as impatient:
                impatient.setattr(pubsub, "PATIENCE_SECONDS", 0.2)
                await world.say(an_event("untold"))
            meanwhile = asyncio.create_task(world.say(an_event("meanwhile")))
            own_redis.start_redis()
            assert await states.get() is True
            await meanwhile
            await world.say(an_event("after"))
            for type in ("untold", "meanwhile", "after"):
                assert (await socket.receive_json())["event"]["type"] == type
            world.stop.set()
            await listening

    with capture_logs() as logs:
        asyncio.run(story())
    said = [line["event"] for line in logs if line["event"].startswith("realtime.")]
    # Each change once per listener or publisher, however often they tried.
    assert sorted(said) == sorted(
        ["realtime.listener_connected"] * 4
        + ["realtime.listener_lost_redis"] * 2
        + ["realtime.publisher_lost_redis", "realtime.publisher_found_redis", "realtime.unsent"]
    )


def test_a_connection_closed_under_the_client_is_a_lost_one(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Connection.send_packed_command
    closed = iter(["unable to perform operation on <TCPTransport closed=True>; the handler is closed"])

    async def send_once_open(self: Connection, *arguments: Any, **options: Any) -> None:
        for said in closed:
            raise RuntimeError(said)  # as uvloop does when Redis died in the moment before
        await send(self, *arguments, **options)

    async def story() -> None:
        monkeypatch.setattr(Connection, "send_packed_command", send_once_open)
        broadcast, stop, states = RedisBroadcast(redis_url), asyncio.Event(), asyncio.Queue[bool]()
        listening = asyncio.create_task(
            broadcast.listen({PUBLICATIONS: lambda payload: None}, states.put_nowait, stop)
        )
        assert await asyncio.wait_for(states.get(), LIMIT_SECONDS) is True
        stop.set()
        await listening
        await broadcast.close()

    with capture_logs() as logs:
        asyncio.run(story())
    assert "realtime.listener_lost_redis" in [line["event"] for line in logs]


def test_without_redis_events_and_publications_are_found_in_postgres(
    own_redis: EmbeddedServers, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "PATIENCE_SECONDS", 0.1)

    async def story() -> None:
        async with (
            a_world(own_redis.redis_url or "", database_url) as world,
            world.websocket("?events=*&channels=chat:1") as socket,
        ):
            await asyncio.to_thread(own_redis.stop_redis)
            first, second = an_event(), an_event()
            await world.say(first)
            await world.say(second)
            await world.publish("chat:1", '"hello"')
            heard = [await socket.receive_json() for _ in range(3)]
            events = [each["event"]["id"] for each in heard if each["type"] == "event"]
            assert events == [first.id, second.id]
            assert [each["data"] for each in heard if each["type"] == "message"] == ["hello"]

    asyncio.run(story())


def test_many_publishers_at_once_are_each_heard_once(
    redis_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "WRITE_BYTES", 5000)

    async def story() -> None:
        async with a_world(redis_url, database_url) as world, world.websocket() as socket:
            events = [an_event() for _ in range(100)]
            large = an_event(data=b'"%b"' % (b"x" * 10_000))
            await asyncio.gather(*(world.say(event) for event in [*events, large]))
            heard = [(await socket.receive_json())["event"]["id"] for _ in range(101)]
            assert sorted(heard) == sorted(event.id for event in [*events, large])
            assert world.sample("events_total") == 101

    asyncio.run(story())


class Wire:
    """A path to Redis that can go dead without a word, as a network does; `pongs` counts answered pings."""

    def __init__(self) -> None:
        self.alive = True
        self.pongs: asyncio.Queue[None] = asyncio.Queue()
        self._pumps: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def to(self, redis_url: str) -> AsyncIterator[str]:
        """The URL that leads through here."""
        url = urlsplit(redis_url)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            up, down = await asyncio.open_connection(url.hostname, url.port)
            self._pumps += [asyncio.create_task(self._pump(*pair)) for pair in ((reader, down), (up, writer))]

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield urlunsplit(url._replace(netloc=f":{url.password}@127.0.0.1:{port}"))
        finally:
            server.close()
            for pump in self._pumps:
                pump.cancel()
            await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if b"pong" in data:
                    self.pongs.put_nowait(None)
                if self.alive:
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.close()


def test_a_listener_notices_that_its_connection_is_dead(
    own_redis: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "SILENCE_SECONDS", 0.1)

    async def story() -> None:
        wire, states, stop = Wire(), asyncio.Queue[bool](), asyncio.Event()
        async with asyncio.timeout(LIMIT_SECONDS), wire.to(own_redis.redis_url or "") as url:
            broadcast = RedisBroadcast(url)
            listening = asyncio.create_task(
                broadcast.listen({PUBLICATIONS: lambda payload: None}, states.put_nowait, stop)
            )
            assert await states.get() is True
            for _ in range(3):
                await wire.pongs.get()
            assert states.empty()  # quiet, but alive

            wire.alive = False
            assert await states.get() is False
            wire.alive = True
            assert await states.get() is True
            stop.set()
            await listening
            await broadcast.close()

    asyncio.run(story())


def test_a_listener_stops_whatever_it_is_doing(redis_url: str) -> None:
    """The client library swallows what cancels it at one moment of its connecting."""

    async def story() -> None:
        for moment in range(100):
            broadcast, stop = RedisBroadcast(redis_url), asyncio.Event()
            listening = asyncio.create_task(
                broadcast.listen({PUBLICATIONS: lambda _: None}, lambda _: None, stop)
            )
            for _ in range(moment):
                await asyncio.sleep(0)
            stop.set()
            await asyncio.wait_for(listening, 10)
            await broadcast.close()

    asyncio.run(story())
