"""Streams end with the key they were opened with: in every process, with Redis and without."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.adapters.redis.pubsub import RedisBroadcast
from ogel.features.audit.store import AuditStore
from ogel.features.keys.service import KeyService
from ogel.features.keys.store import KeyStore
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database
from tests.support.cli import ogel
from tests.support.keys import make
from tests.support.process import ADMIN_KEY, SECRET, Ogel, eventually
from tests.support.realtime import an_sse_block

CALLER, SCOPES = Caller(SYSTEM, "req_1"), ["realtime:read"]
STREAMS = 50
# From the commit of a revocation to the end of the last stream: one second, on a machine that does nothing else.
AT_ONCE_SECONDS, WITHOUT_REDIS_SECONDS = 3.0, 5.0


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedServers]:
    with EmbeddedServers.start(tmp_path / "servers", postgres=False) as running:
        yield running


def test_streams_of_two_processes_end_with_their_key(
    tmp_path: Path, database_url: str, own_redis: EmbeddedServers
) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": own_redis.redis_url or ""}
    operator = {**servers, "OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET}

    async def story(processes: list[Ogel]) -> None:
        async with key_service(database_url, own_redis.redis_url or "") as keys:
            expires_at = utc_now() + timedelta(seconds=8)
            _, brief = await make(keys, CALLER, "brief", SCOPES, expires_at)
            (first_id, first), (second_id, second) = [
                await make(keys, CALLER, "long", SCOPES) for _ in range(2)
            ]
            async with (
                opened(processes, brief, 4) as expiring,
                opened(processes, second, STREAMS) as others,
                opened(processes, first, STREAMS) as streams,
            ):
                gone = await asyncio.to_thread(processes[0].api, "DELETE", f"/api/keys/{first_id}")
                assert gone.status == 204
                await ended(streams, "revoked", AT_ONCE_SECONDS)
                left = (expires_at - utc_now()).total_seconds()
                await ended(expiring, "expired", left + AT_ONCE_SECONDS)
                assert not any(each.done() for each in others)

                await asyncio.to_thread(own_redis.stop_redis)
                told = await asyncio.to_thread(ogel, "keys", "revoke", second_id, **operator)
                assert told.code == 0 and "key.end_not_told" in told.err, told.err
                await ended(others, "revoked", WITHOUT_REDIS_SECONDS)

    with (
        Ogel("api", "--with", "realtime", log=tmp_path / "api.log", **servers) as api,
        Ogel("realtime", log=tmp_path / "realtime.log", **servers) as realtime,
    ):
        for each in (api, realtime):
            eventually(
                lambda each=each: b"feed_connected 1.0" in each.api("GET", "/metrics").raw, 10, "Redis"
            )
        asyncio.run(asyncio.wait_for(story([api, realtime]), 60))


@asynccontextmanager
async def key_service(database_url: str, redis_url: str) -> AsyncIterator[KeyService]:
    """As `ogel keys` has it, without its start."""
    store, audit, broadcast = KeyStore(), AuditStore(), RedisBroadcast(redis_url)
    async with make_pool(database_url, PoolOptions(1, 2, 30, 5, 10)) as pool:
        database = Database(pool, lambda _: None)
        uses, watch = KeyUses(database, audit), KeyWatch(database, store)
        yield KeyService(database, store, audit, uses, watch, broadcast, None, lambda: SCOPES)
    await broadcast.close()


@asynccontextmanager
async def opened(processes: list[Ogel], key: str, count: int) -> AsyncIterator[list[asyncio.Task[str]]]:
    """`count` streams of both kinds over all processes; each task ends with the reason that its stream gave."""
    async with AsyncExitStack() as stack:
        tasks = []
        for process in processes:
            http = await stack.enter_async_context(
                aiohttp.ClientSession(
                    f"http://127.0.0.1:{process.port}", headers={"Authorization": f"Bearer {key}"}
                )
            )
            for number in range(count // len(processes)):
                if number % 2:
                    socket = await stack.enter_async_context(http.ws_connect("/realtime/websocket"))
                    assert (await socket.receive_json())["type"] == "ready"
                    tasks.append(asyncio.create_task(websocket_reason(socket)))
                else:
                    response = await stack.enter_async_context(http.get("/realtime/sse"))
                    assert (await an_sse_block(response))["event"] == "ready"
                    tasks.append(asyncio.create_task(sse_reason(response)))
        yield tasks


async def websocket_reason(socket: aiohttp.ClientWebSocketResponse) -> str:
    closed = await socket.receive()
    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4401)
    return str(closed.extra)


async def sse_reason(response: aiohttp.ClientResponse) -> str:
    block = await an_sse_block(response)
    assert block["event"] == "end"
    assert await response.content.read() == b""
    return str(json.loads(block["data"])["reason"])


async def ended(streams: list[asyncio.Task[str]], reason: str, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        assert set(await asyncio.gather(*streams)) == {reason}
