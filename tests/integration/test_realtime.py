"""Realtime on a real Postgres, Redis and HTTP server: from the publishing transaction to the listener."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ogel.adapters import redis_pubsub
from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.adapters.redis_pubsub import RedisBroadcast
from ogel.features.realtime.feature import RealtimeFeature
from ogel.features.realtime.jobs import PUBLISH
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Principal
from ogel.runtime.database import Database
from ogel.runtime.http.app import build_app
from ogel.runtime.http.endpoint import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.server import bind, serve
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.realtime import sse, websocket
from ogel.runtime.realtime.broadcast import EVENTS
from ogel.runtime.realtime.hub import HubOptions
from ogel.runtime.realtime.message import pack
from ogel.runtime.realtime.metrics import RealtimeMetrics

LIMIT_SECONDS = 20
KEYS = {
    "key-of-a-listener": Principal("key_listener", frozenset({"realtime:read"})),
    "key-of-a-writer": Principal("key_writer", frozenset({"events:write"})),
}
LISTENER = {"Authorization": "Bearer key-of-a-listener"}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
STREAMS = ("websocket", "sse")


@dataclass
class World:
    """A process with realtime, its port open and its feed connected."""

    http: aiohttp.ClientSession
    feature: RealtimeFeature
    broadcast: RedisBroadcast
    queue: JobQueue
    registry: CollectorRegistry
    stop: asyncio.Event
    running: asyncio.Task[Any]

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"ogel_realtime_{name}", labels)

    async def say(self, *events: Event) -> None:
        await self.broadcast.publish(EVENTS, [pack(event) for event in events])

    @asynccontextmanager
    async def websocket(self, query: str = "") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Listening: `ready` has been read."""
        async with self.http.ws_connect(f"/realtime/websocket{query}", headers=LISTENER) as client:
            assert (await client.receive_json())["type"] == "ready"
            yield client

    @asynccontextmanager
    async def sse(self, query: str = "") -> AsyncIterator[aiohttp.ClientResponse]:
        async with self.http.get(f"/realtime/sse{query}", headers=LISTENER) as response:
            assert response.status == 200
            assert (await an_sse_block(response))["event"] == "ready"
            yield response


@asynccontextmanager
async def a_world(redis_url: str, **options: int) -> AsyncIterator[World]:
    async def authenticate(key: str) -> Principal | None:
        return KEYS.get(key)

    registry, stop, queue, broadcast = (
        CollectorRegistry(),
        asyncio.Event(),
        JobQueue(),
        RedisBroadcast(redis_url),
    )
    feature = RealtimeFeature(queue, broadcast, authenticate, registry, HubOptions(**options))
    queue.know(feature.feature().jobs)
    app = build_app([], feature.feature().streams, authenticate, HttpMetrics(registry), [], HttpOptions())
    sockets = bind("127.0.0.1", 0)
    running = asyncio.gather(serve(app, sockets, stop, drain_seconds=10), feature.serve(stop))
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    try:
        async with asyncio.timeout(LIMIT_SECONDS), aiohttp.ClientSession(url) as http:
            await feature.feed.connected.wait()
            yield World(http, feature, broadcast, queue, registry, stop, asyncio.ensure_future(running))
    finally:
        stop.set()
        await running
        await broadcast.close()


def an_event(type: str = "order.paid", data: bytes = b'{"total": 1.50}', **changes: Any) -> Event:
    return Event(
        **{"id": new_id("evt"), "type": type, "data": data, "subject": "ord_1", "created_at": utc_now()}
        | changes
    )


def a_job(events: Sequence[Event]) -> Job:
    payload = {"event_ids": [event.id for event in events]}
    return Job(new_id("job"), PUBLISH, payload, 0, None, 1, 8, "lease_1", utc_now(), utc_now())


async def an_sse_block(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Up to the next empty line; a comment is the field named ''."""
    fields = {}
    while line := (await response.content.readline()).decode().rstrip("\n"):
        name, _, value = line.partition(":")
        fields[name] = value.strip()
    return fields


@asynccontextmanager
async def a_database(url: str, ring: Any) -> AsyncIterator[Database]:
    async with make_pool(url, PoolOptions(1, 4, 60.0, 5.0, 10)) as pool:
        yield Database(pool, ring)


def test_a_published_event_reaches_every_listener(database_url: str, redis_url: str) -> None:
    async def story() -> None:
        runners: list[JobRunner] = []
        async with (
            a_database(database_url, lambda queues: [each.wake() for each in runners]) as database,
            a_world(redis_url) as world,
        ):
            feature = world.feature.feature()
            outbox = Outbox()
            outbox.subscribe(feature.subscribers)
            metrics = JobMetrics(CollectorRegistry())
            runners.append(JobRunner(database, "realtime", feature.jobs, RunnerOptions(), metrics))
            stop = asyncio.Event()
            working = asyncio.create_task(runners[0].run(stop, drain_seconds=5))
            async with (
                world.websocket("?events=order.*,chat.said") as socket,
                world.sse("?events=*.paid") as sse,
            ):
                paid, unheard = an_event(data=b'{ "b": 1.50,\n"a": 2}'), an_event("order_line.paid.twice")
                async with database.transaction() as tx:
                    publication = await outbox.publish(tx, [unheard, paid])
                assert publication.deliveries == {unheard.id: 0, paid.id: 0}

                frame = await socket.receive_json()
                assert frame == {
                    "type": "event",
                    "event": {
                        "id": paid.id,
                        "type": "order.paid",
                        "timestamp": paid.timestamp,
                        "subject": "ord_1",
                        "data": {"a": 2, "b": 1.5},
                    },
                }
                async with asyncio.timeout(LIMIT_SECONDS):
                    raw = await sse.content.readuntil(b"\n\n")
                assert raw.startswith(f"id: {paid.id}\nevent: event\ndata: {{".encode())
                assert raw.endswith(b'"data":{ "b": 1.50,\ndata: "a": 2}}\n\n')
            stop.set()
            await working
            async with database.session() as session:
                assert await session.value(b"SELECT count(*) FROM job_queue") == 0

    asyncio.run(story())


def test_a_transaction_that_fails_announces_nothing(database_url: str, redis_url: str) -> None:
    async def story() -> None:
        rung: list[set[str]] = []
        async with (
            a_database(database_url, rung.append) as database,
            a_world(redis_url) as world,
        ):
            outbox = Outbox()
            outbox.subscribe(world.feature.feature().subscribers)
            with pytest.raises(ZeroDivisionError):
                await publish_and_fail(database, outbox)
            async with database.session() as session:
                assert await session.value(b"SELECT count(*) FROM job_queue") == 0
            assert rung == []

            async with database.transaction() as tx:
                await outbox.publish(tx, [an_event() for _ in range(250)])
                sizes = await tx.tuples(
                    b"SELECT json_array_length(payload::json -> 'event_ids') FROM job_queue"
                )
                await tx.execute(b"DELETE FROM job_queue")
            assert sorted(size for (size,) in sizes) == [50, 100, 100]
            assert rung == [{"realtime"}]

    async def publish_and_fail(database: Database, outbox: Outbox) -> None:
        async with database.transaction() as tx:
            await outbox.publish(tx, [an_event()])
            raise ZeroDivisionError

    asyncio.run(story())


def test_what_is_too_late_is_dropped_and_said(database_url: str, redis_url: str) -> None:
    async def story() -> None:
        async with (
            a_database(database_url, lambda queues: None) as database,
            a_world(redis_url) as world,
        ):
            old = an_event(created_at=utc_now() - timedelta(minutes=6))
            new, gone = an_event(), an_event()
            kind = world.feature.feature().jobs[0]
            stale, mixed = a_job([old, gone]), a_job([old, new])
            assert kind.load is not None
            async with database.transaction() as tx:
                await Outbox().publish(tx, [old, new])
                assert await kind.load(tx, [stale, mixed]) == {mixed.id: [pack(new)]}

    with capture_logs() as logs:
        asyncio.run(story())
    assert [line["events"] for line in logs if line["event"] == "realtime.too_late"] == [3]


REFUSALS = [
    ("", {}, 401, "unauthenticated"),
    ("?key=nobodys", {}, 401, "unauthenticated"),
    ("?key=key-of-a-writer", {}, 403, "forbidden"),
    ("?events=order.*,b%20ad", LISTENER, 422, "invalid"),
    ("?events=", LISTENER, 422, "invalid"),
    ("?events=" + ",".join(f"t{n}" for n in range(51)), LISTENER, 422, "invalid"),
    ("?topic=order", LISTENER, 422, "invalid"),
]


def test_refusals_are_problem_documents_on_both_transports(redis_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url, max_subscriptions=0) as world:
            full = ("?events=*", LISTENER, 503, "unavailable")
            for stream in STREAMS:
                for query, headers, status, kind in [*REFUSALS, full]:
                    upgrade = UPGRADE if stream == "websocket" else {}
                    async with world.http.get(
                        f"/realtime/{stream}{query}", headers=headers | upgrade
                    ) as response:
                        problem = await response.json(content_type="application/problem+json")
                    assert (response.status, problem["type"]) == (status, f"urn:ogel:{kind}"), query
                    if status == 422:
                        assert problem["errors"][0]["path"] == f"query.{query[1:].partition('=')[0]}"
            for method in ("HEAD", "POST"):
                async with world.http.request(method, "/realtime/sse", headers=LISTENER) as response:
                    assert response.status == 405
            assert world.sample("messages_total") == 0

    asyncio.run(story())


def test_browsers_send_their_key_in_the_query(redis_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url) as world:
            query = "?events=order.*&key=key-of-a-listener"
            async with world.http.ws_connect(f"/realtime/websocket{query}") as socket:
                assert await socket.receive_json() == {"type": "ready", "events": ["order.*"]}
            async with world.http.get(f"/realtime/sse{query}") as response:
                assert response.headers["Content-Type"].startswith("text/event-stream")
                assert response.headers["X-Accel-Buffering"] == "no"
                ready = await an_sse_block(response)
                assert (ready["event"], json.loads(ready["data"])) == ("ready", {"events": ["order.*"]})

    asyncio.run(story())


def test_who_hears_nothing_is_pinged(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.05)
    monkeypatch.setattr(sse, "PING_SECONDS", 0.05)

    async def story() -> None:
        async with (
            a_world(redis_url) as world,
            world.websocket() as socket,
            world.sse() as stream,
        ):
            assert await socket.receive_json() == {"type": "ping"}
            assert await an_sse_block(stream) == {"": "ping"}
            await world.say(an_event("a"))
            while (frame := await socket.receive_json())["type"] == "ping":
                pass
            assert frame["event"]["type"] == "a"

    asyncio.run(story())


def test_a_client_may_say_a_little_and_not_more(redis_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url) as world:
            async with world.websocket() as socket:
                await socket.send_str("hello")
                await socket.send_bytes(b"\x00" * 4096)
                await world.say(an_event("a"))
                assert (await socket.receive_json())["event"]["type"] == "a"
                await socket.send_str("x" * 4097)
                closed = await socket.receive()
                assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1009)
            assert world.sample("subscriptions_ended_total", reason="slow") is None

    asyncio.run(story())


def test_whoever_leaves_frees_their_place(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        counts: asyncio.Queue[int] = asyncio.Queue()
        monkeypatch.setattr(RealtimeMetrics, "subscriptions", lambda self, count: counts.put_nowait(count))
        async with a_world(redis_url) as world:
            for stream in STREAMS:
                async with getattr(world, stream)():
                    assert await counts.get() == 1
                assert await counts.get() == 0

            # Gone without a word: the connection is cut.
            async with world.http.get("/realtime/sse", headers=LISTENER) as response:
                assert await counts.get() == 1
                assert response.connection is not None
                assert response.connection.transport is not None
                response.connection.transport.abort()
                assert await counts.get() == 0

    asyncio.run(story())


def test_a_burst_is_not_taken_for_slowness(redis_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url) as world, world.websocket() as socket:
            burst = [an_event(data=b'"%b"' % (b"x" * 1024)) for _ in range(500)]
            await world.say(*burst)
            assert [(await socket.receive_json())["event"]["id"] for _ in burst] == [
                event.id for event in burst
            ]

    asyncio.run(story())


def test_a_client_that_does_not_read_is_ended_and_delays_nobody(redis_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url) as world, world.websocket() as healthy:
            base = world.http._base_url
            assert base is not None
            reader, writer = await asyncio.open_connection(base.host, base.port, limit=1024)
            head = "".join(
                f"{name}: {value}\r\n" for name, value in {**UPGRADE, **LISTENER, "Host": "x"}.items()
            )
            writer.write(f"GET /realtime/websocket HTTP/1.1\r\n{head}\r\n".encode())
            # The headers, and no more: from here on this client's buffers fill up.
            await reader.readuntil(b"\r\n\r\n")

            said = 0
            while not world.sample("subscriptions_ended_total", reason="slow"):
                assert said < 400, "never ended"
                event = an_event(data=b'"%b"' % (b"x" * 200_000))
                await world.say(event)
                assert (await healthy.receive_json())["event"]["id"] == event.id
                said += 1
            assert (world.sample("dropped_total") or 0) >= 1

            # When it reads again it learns why it was closed: 1013, "slow".
            rest = b""
            while chunk := await reader.read(1 << 20):
                rest = rest[-100:] + chunk
            assert rest.endswith(b"\x88\x06\x03\xf5slow")
            writer.close()
            await writer.wait_closed()

    asyncio.run(story())


def test_a_stop_ends_every_stream_at_once(redis_url: str) -> None:
    async def story() -> None:
        async with (
            a_world(redis_url) as world,
            world.websocket() as socket,
            world.sse() as stream,
        ):
            world.stop.set()

            closed = await socket.receive()
            assert (closed.type, closed.data, closed.extra) == (aiohttp.WSMsgType.CLOSE, 1001, "shutdown")
            assert await an_sse_block(stream) == {"event": "end", "data": '{"reason":"shutdown"}'}
            assert await stream.content.read() == b""
            async with asyncio.timeout(2):
                await world.running
            assert world.sample("subscriptions_ended_total", reason="shutdown") == 2

    asyncio.run(story())


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedServers]:
    running = EmbeddedServers.start(tmp_path / "servers", postgres=False)
    try:
        yield running
    finally:
        running.stop()


def test_after_a_redis_restart_messages_flow_again(
    own_redis: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        states: asyncio.Queue[bool] = asyncio.Queue()
        async with a_world(own_redis.redis_url or "") as world, world.websocket() as socket:
            listening = asyncio.create_task(
                world.broadcast.listen(EVENTS, lambda payload: None, states.put_nowait, world.stop)
            )
            assert await states.get() is True
            await world.say(an_event("before"))
            assert (await socket.receive_json())["event"]["type"] == "before"

            await asyncio.to_thread(own_redis.stop_redis)
            assert await states.get() is False
            with monkeypatch.context() as impatient:
                impatient.setattr(redis_pubsub, "PATIENCE_SECONDS", 0.2)
                with pytest.raises(Unavailable):
                    await world.say(an_event("never"))
            meanwhile = asyncio.create_task(world.say(an_event("meanwhile")))
            own_redis.start_redis()
            assert await states.get() is True
            await meanwhile
            await world.say(an_event("after"))

            # What was published during the outage waited until listeners were back.
            assert (await socket.receive_json())["event"]["type"] == "meanwhile"
            assert (await socket.receive_json())["event"]["type"] == "after"
            world.stop.set()
            await listening

    with capture_logs() as logs:
        asyncio.run(story())
    said = [line["event"] for line in logs if line["event"].startswith("realtime.")]
    # Each change once per listener or publisher, however often they tried.
    assert sorted(said) == sorted(
        ["realtime.listener_connected"] * 4
        + ["realtime.listener_lost_redis"] * 2
        + ["realtime.publisher_lost_redis", "realtime.publisher_found_redis"]
    )


def test_without_redis_a_job_is_postponed_and_its_attempt_does_not_count(
    own_redis: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_pubsub, "PATIENCE_SECONDS", 0.3)

    async def story() -> None:
        async with a_world(own_redis.redis_url or "") as world:
            await asyncio.to_thread(own_redis.stop_redis)
            with pytest.raises(Unavailable):
                await world.say(an_event())
            event = an_event()
            outcome = await world.feature.feature().jobs[0].perform(a_job([event]), [pack(event)])
            assert outcome is not None
            assert outcome.verdict == "postpone"
            assert 1 <= (outcome.after_seconds or 0) <= 5

    asyncio.run(story())
