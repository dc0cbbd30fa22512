"""Realtime on a real Postgres, Redis and HTTP server: from the publishing transaction to the listener."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta

import aiohttp
import msgspec
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ogel.features.realtime.jobs import QUEUE, announce, publish_job
from ogel.features.realtime.listening import Listening
from ogel.features.realtime.store import say_listening
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database
from ogel.runtime.http.admission import Ending
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.realtime.message import pack
from tests.support.realtime import (
    LIMIT_SECONDS,
    LISTENER,
    STREAMS,
    UPGRADE,
    World,
    a_database,
    a_job,
    a_world,
    an_event,
    an_sse_block,
)


def test_a_published_event_reaches_every_listener(database_url: str, redis_url: str) -> None:
    async def story() -> None:
        runners: list[JobRunner] = []
        async with (
            a_database(database_url, lambda queues: [each.wake() for each in runners]) as database,
            a_world(redis_url, database_url, Listening(database)) as world,
        ):
            outbox = world.outbox
            outbox.subscribe({QUEUE: announce})
            metrics = JobMetrics(CollectorRegistry())
            runners.append(
                JobRunner(database, QUEUE, [publish_job(world.broadcast)], RunnerOptions(), metrics)
            )
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
                assert frame.pop("cursor")
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
                assert re.match(rb"id: [A-Za-z0-9_-]+\nevent: event\ndata: {", raw)
                assert raw.endswith(b'"data":{ "b": 1.50,\ndata: "a": 2}}\n\n')
            stop.set()
            await working
            async with database.autocommit() as tx:
                assert await tx.value(b"SELECT count(*) FROM job_queue") == 0

    asyncio.run(story())


def test_a_transaction_that_fails_announces_nothing(database_url: str, redis_url: str) -> None:
    async def story() -> None:
        rung: list[set[str]] = []
        async with (
            a_database(database_url, rung.append) as database,
            a_world(redis_url, database_url) as world,
        ):
            outbox = world.outbox
            outbox.subscribe({QUEUE: announce})
            with pytest.raises(ZeroDivisionError):
                await publish_and_fail(database, outbox)
            async with database.autocommit() as tx:
                assert await tx.value(b"SELECT count(*) FROM job_queue") == 0
            assert rung == []

            async with Listening(database).somebody(), database.transaction() as tx:
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
            a_world(redis_url, database_url) as world,
        ):
            old = an_event(created_at=utc_now() - timedelta(minutes=6))
            new, gone = an_event(), an_event()
            kind = publish_job(world.broadcast)
            stale, mixed = a_job([old, gone]), a_job([old, new])
            assert kind.load is not None
            async with database.transaction() as tx:
                await world.outbox.publish(tx, [old, new])
                found = await kind.load(tx, [stale, mixed])
            assert {id: [each.data for each in some] for id, some in found.items()} == {mixed.id: [pack(new)]}

    with capture_logs() as logs:
        asyncio.run(story())
    assert [line["events"] for line in logs if line["event"] == "realtime.too_late"] == [2]


REFUSALS = [
    ("", {}, 401, "unauthenticated"),
    ("?key=nobodys", {}, 401, "unauthenticated"),
    ("?key=key-of-a-writer", {}, 403, "forbidden"),
    ("?events=order.*,b%20ad", LISTENER, 422, "invalid"),
    ("?events=", LISTENER, 422, "invalid"),
    ("?events=" + ",".join(f"t{n}" for n in range(51)), LISTENER, 422, "invalid"),
    ("?topic=order", LISTENER, 422, "invalid"),
]


def test_refusals_are_problem_documents_on_both_transports(redis_url: str, database_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url, database_url, connections=0) as world:
            full = ("?events=*", LISTENER, 503, "unavailable")
            for stream in STREAMS:
                for query, headers, status, kind in [*REFUSALS, full]:
                    upgrade = UPGRADE if stream == "websocket" else {}
                    async with world.http.get(
                        f"/realtime/{stream}{query}", headers=headers | upgrade
                    ) as response:
                        problem = await response.json(content_type="application/problem+json")
                    assert (response.status, problem["type"]) == (status, f"urn:ogel:{kind}"), query
                    assert ("Retry-After" in response.headers) is (status == 503)
                    if status == 422:
                        assert problem["errors"][0]["path"] == f"query.{query[1:].partition('=')[0]}"
            for method in ("HEAD", "POST"):
                async with world.http.request(method, "/realtime/sse", headers=LISTENER) as response:
                    assert response.status == 405
            assert world.sample("messages_total") == 0

    asyncio.run(story())


def test_browsers_send_their_key_in_the_query(redis_url: str, database_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url, database_url) as world:
            query = "?events=order.*&key=key-of-a-listener"
            async with world.http.ws_connect(f"/realtime/websocket{query}") as socket:
                ready = await socket.receive_json()
                assert (ready["type"], ready["events"]) == ("ready", ["order.*"])
            async with world.http.get(f"/realtime/sse{query}") as response:
                assert response.headers["Content-Type"].startswith("text/event-stream")
                assert response.headers["X-Accel-Buffering"] == "no"
                ready = await an_sse_block(response)
                assert (ready["event"], json.loads(ready["data"])) == ("ready", {"events": ["order.*"]})

    asyncio.run(story())


def test_who_hears_nothing_is_pinged(redis_url: str, database_url: str) -> None:
    async def story() -> None:
        async with (
            a_world(redis_url, database_url, ping_seconds=0.05) as world,
            world.websocket() as socket,
            world.sse() as stream,
        ):
            ping, comment = await socket.receive_json(), await an_sse_block(stream)
            assert (ping["type"], comment[""]) == ("ping", "ping")
            assert ping["cursor"] == comment["id"]
            await world.say(an_event("a"))
            while (frame := await socket.receive_json())["type"] == "ping":
                pass
            assert frame["event"]["type"] == "a"

    asyncio.run(story())


def test_a_client_may_say_a_little_and_not_more(redis_url: str, database_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url, database_url) as world:
            async with world.websocket() as socket:
                await socket.send_str("hello")
                await socket.send_bytes(b"\x00" * 4096)
                await world.say(an_event("a"))
                assert (await socket.receive_json())["event"]["type"] == "a"
                await socket.send_str("x" * 4097)
                closed = await socket.receive()
                assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1009)
            assert world.sample("ended_total", reason="slow") is None

    asyncio.run(story())


def test_whoever_leaves_frees_their_place(redis_url: str, database_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url, database_url) as world:
            for stream in STREAMS:
                async with getattr(world, stream)():
                    assert world.sample("connections", transport=stream) == 1
                    assert world.sample("subscriptions") == 1
                await empty(world)

            # Gone without a word: the connection is cut.
            async with world.http.get("/realtime/sse", headers=LISTENER) as response:
                assert world.sample("connections", transport="sse") == 1
                assert response.connection is not None
                assert response.connection.transport is not None
                response.connection.transport.abort()
                await empty(world)

    async def empty(world: World) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            while len(world.feature.connections) or world.sample("subscriptions"):
                await asyncio.sleep(0.005)

    asyncio.run(story())


def test_a_burst_is_not_taken_for_slowness(redis_url: str, database_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url, database_url) as world, world.websocket() as socket:
            burst = [an_event(data=b'"%b"' % (b"x" * 1024)) for _ in range(500)]
            await world.say(*burst)
            assert [(await socket.receive_json())["event"]["id"] for _ in burst] == [
                event.id for event in burst
            ]

    asyncio.run(story())


def test_a_client_that_does_not_read_is_ended_and_delays_nobody(redis_url: str, database_url: str) -> None:
    async def story() -> None:
        async with a_world(redis_url, database_url) as world, world.websocket() as healthy:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
            head = "".join(
                f"{name}: {value}\r\n" for name, value in {**UPGRADE, **LISTENER, "Host": "x"}.items()
            )
            writer.write(f"GET /realtime/websocket HTTP/1.1\r\n{head}\r\n".encode())
            # The headers, and no more: from here on this client's buffers fill up.
            await reader.readuntil(b"\r\n\r\n")

            said = 0
            while not world.sample("ended_total", reason="slow"):
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


def test_a_stop_ends_every_stream_at_once(redis_url: str, database_url: str) -> None:
    async def story() -> None:
        async with (
            a_world(redis_url, database_url) as world,
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
            assert world.sample("ended_total", reason="shutdown") == 2

    asyncio.run(story())


@pytest.mark.parametrize("ending", ["revoked", "expired"])
def test_a_stream_ends_with_its_key_and_says_why(redis_url: str, database_url: str, ending: Ending) -> None:
    async def story() -> None:
        async with (
            a_world(redis_url, database_url) as world,
            world.websocket() as socket,
            world.sse() as stream,
        ):
            world.watch.end("key_listener", ending)

            closed = await socket.receive()
            assert (closed.type, closed.data, closed.extra) == (aiohttp.WSMsgType.CLOSE, 4401, ending)
            assert await an_sse_block(stream) == {"event": "end", "data": f'{{"reason":"{ending}"}}'}
            assert await stream.content.read() == b""
            assert world.sample("ended_total", reason=ending) == 2
            assert world.sample("subscriptions") == 0
            while world.watch.watched["key_listener"]:
                await asyncio.sleep(0.01)

    asyncio.run(story())


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("behind", [0, 400])
def test_who_does_not_read_is_cut_off_with_their_key(
    redis_url: str, database_url: str, stream: str, behind: int
) -> None:
    """With nothing to read, and with so much unread that the server waits in the middle of it."""

    async def story() -> None:
        async with a_world(redis_url, database_url, queue_bytes=1 << 30) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
            fields = {**(UPGRADE if stream == "websocket" else {}), **LISTENER, "Host": "x"}
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            writer.write(f"GET /realtime/{stream} HTTP/1.1\r\n{head}\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            peer = writer.transport
            peer.pause_reading()  # type: ignore[attr-defined]
            for _ in range(behind):
                await world.say(an_event(data=b'"%b"' % (b"x" * 50_000)))

            world.watch.end("key_listener", "revoked")
            began = asyncio.get_running_loop().time()
            world.stop.set()
            # Streams of peers that do not read are what a stop would wait for.
            await world.running
            assert asyncio.get_running_loop().time() - began < 1.5
            writer.close()

    asyncio.run(story())


def test_events_have_their_places_in_the_order_of_publishing_whoever_has_their_jobs(
    redis_url: str, database_url: str
) -> None:
    """A worker that has the first and the third job must not place the third before the second, which another has."""

    async def story() -> None:
        async with a_world(redis_url, database_url) as world, world.websocket() as socket:
            queue = JobQueue()
            queue.know([publish_job(world.broadcast)])
            outbox = Outbox(queue)
            outbox.subscribe({QUEUE: announce})
            async with world.database.autocommit() as tx:
                await say_listening(tx, "proc_1", 60)
            events = [an_event(f"number{n}") for n in range(3)]
            for event in events:
                async with world.database.transaction() as tx:
                    await outbox.publish(tx, [event])
            async with world.database.autocommit() as tx:
                rows = await tx.tuples(b"SELECT id, payload FROM job_queue ORDER BY seq")
            first, second, third = (
                msgspec.structs.replace(a_job([]), id=id, payload=payload) for id, payload in rows
            )
            await world.perform(first, third)
            await world.perform(second)
            heard = [(await socket.receive_json())["event"]["type"] for _ in range(3)]
            assert heard == ["number0", "number1", "number2"]

    asyncio.run(story())
