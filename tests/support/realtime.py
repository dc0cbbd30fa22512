"""A process with realtime for tests: its streams on a port of its own, its feed on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from prometheus_client import CollectorRegistry

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.adapters.redis.pubsub import RedisBroadcast
from ogel.features.realtime.channels.store import NewPublication
from ogel.features.realtime.feature import RealtimeFeature
from ogel.features.realtime.jobs import PUBLISH, publish_job
from ogel.features.realtime.listening import Presence
from ogel.features.realtime.settings import RealtimeSettings
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.database.database import Database
from ogel.runtime.http.admission import Ending
from ogel.runtime.http.app import build_app
from ogel.runtime.http.credentials import KEY, TOKEN, Credential, by_key
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.server import bind, listen, serve
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from tests.support.core import a_core

LIMIT_SECONDS = 20
DRAIN_SECONDS = 10
KEYS = {
    "key-of-a-listener": Principal("key", "key_listener", frozenset({"realtime:read"})),
    "key-of-a-writer": Principal("key", "key_writer", frozenset({"events:write"})),
    "key-of-both": Principal("key", "key_both", frozenset({"realtime:read", "realtime:write"})),
}
# Bearers of access tokens, which have the shape of one.
PEOPLE = {
    f"ey.{name}.x": Principal("user", name, claims={"roles": roles})
    for name, roles in (("ann", ["users/verified", "team:red"]), ("bob", []))
}
LISTENER = {"Authorization": "Bearer key-of-a-listener"}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
STREAMS = ("websocket", "sse")


class ScriptedWatch:
    """An auth.Watch whose keys end when a test says so."""

    def __init__(self) -> None:
        self.watched: dict[str, list[Callable[[Ending], None]]] = {}
        self.looks = 0

    def watch(self, principal: Principal, scope: str, on_end: Callable[[Ending], None]) -> Callable[[], None]:
        watched = self.watched.setdefault(principal.id, [])
        watched.append(on_end)
        return lambda: watched.remove(on_end)

    def look_soon(self) -> None:
        self.looks += 1

    def end(self, id: str, ending: Ending) -> None:
        for on_end in list(self.watched[id]):
            on_end(ending)


class Nowhere:
    """A Presence that nobody is told of."""

    @asynccontextmanager
    async def somebody(self) -> AsyncIterator[None]:
        yield

    def stay(self) -> Callable[[], None]:
        return lambda: None

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()


@dataclass
class World:
    """A process with realtime, its port open and its feed connected."""

    http: aiohttp.ClientSession
    feature: RealtimeFeature
    broadcast: RedisBroadcast
    outbox: Outbox
    database: Database
    watch: ScriptedWatch
    port: int
    registry: CollectorRegistry
    stop: asyncio.Event
    running: asyncio.Future[Any]

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"ogel_realtime_{name}", labels)

    async def say(self, *events: Event) -> None:
        """Publishes them, and does what a worker would."""
        async with self.database.transaction() as tx:
            await self.outbox.publish(tx, events, to=[])
        await self.perform(a_job(events))

    async def perform(self, *jobs: Job) -> None:
        """As a worker that has claimed them together."""
        kind = publish_job(self.broadcast)
        assert kind.load is not None
        assert kind.perform is not None
        async with self.database.autocommit() as tx:
            found = await kind.load(tx, jobs)
        for job in jobs:
            if job.id in found:
                await kind.perform(job, found[job.id])

    async def publish(self, channel: str, *data: str) -> None:
        await self.feature.publisher.publish([NewPublication(channel, each) for each in data])

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
async def a_world(
    redis_url: str, database_url: str, presence: Presence | None = None, **options: Any
) -> AsyncIterator[World]:
    async def authenticate(key: str, _: Caller) -> Principal | None:
        return KEYS.get(key)

    async def authenticate_token(credential: Credential, _: Caller) -> Principal | None:
        return PEOPLE.get(credential.value)

    registry, stop = CollectorRegistry(), asyncio.Event()
    queue, broadcast, watch = JobQueue(), RedisBroadcast(redis_url), ScriptedWatch()
    queue.know([publish_job(broadcast)])
    async with a_database(database_url, lambda queues: None) as database:
        core = a_core(
            database, queue, broadcast=broadcast, watch=watch, registry=registry, drain_seconds=DRAIN_SECONDS
        )
        authenticators = {KEY: by_key(authenticate), TOKEN: authenticate_token}
        settings = RealtimeSettings(**options)
        feature = RealtimeFeature(core, settings, presence or Nowhere(), authenticators)
        streams = [("realtime", stream) for stream in feature.streams()]
        app = build_app([], streams, authenticators, HttpMetrics(registry), [], HttpOptions())
        sockets = bind("127.0.0.1", 0)
        listen(sockets)
        running = asyncio.gather(serve(app, sockets, stop, drain_seconds=DRAIN_SECONDS), feature.serve(stop))
        port = sockets[0].getsockname()[1]
        try:
            async with (
                asyncio.timeout(LIMIT_SECONDS),
                aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
            ):
                await feature.feed.connected.wait()
                outbox = Outbox(queue)
                yield World(http, feature, broadcast, outbox, database, watch, port, registry, stop, running)
        finally:
            stop.set()
            await running
            await broadcast.close()


def an_event(type: str = "order.paid", data: bytes = b'{"total": 1.50}', **changes: Any) -> Event:
    return msgspec.structs.replace(Event(new_id("evt"), type, data, "ord_1", utc_now()), **changes)


def a_job(events: Sequence[Event]) -> Job:
    payload = {"event_ids": [event.id for event in events]}
    return Job(new_id("job"), PUBLISH, payload, 0, "", "", 1, 8, "lease_1", utc_now(), utc_now(), None)


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
