"""Streams end with the session that they were opened with: in every process, with Redis and without."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from ogel.adapters.embedded import EmbeddedServers
from ogel.environ import read_settings
from ogel.features.accounts.services import Accounts
from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.user import NewUser, User
from ogel.kernel.ids import new_id
from ogel.platform.platform import Platform
from ogel.runtime.core import Core
from ogel.runtime.http.access import Access
from ogel.runtime.http.admission import Ending
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.route import Call, Stream
from tests.support.http import World, running
from tests.support.people import CALLER
from tests.support.process import ADMIN_KEY, SECRET

# One second, on a machine that does nothing else.
SOON_SECONDS = 3.0
STREAMS = 10


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedServers]:
    with EmbeddedServers.start(tmp_path / "servers", postgres=False) as started:
        yield started


class Listening:
    """Streams for people, which say nothing but why they end."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def dialect(self) -> Dialect:
        access = Access("user", None, "stream")
        return Dialect(
            "people",
            "/people",
            streams=[
                Stream("/sse", self.sse, access, "Wait", None, "text/event-stream"),
                Stream("/socket", self.socket, access, "Wait", None),
            ],
        )

    async def sse(self, call: Call[None, None], scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        ended = self._ending(call)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ready\n", "more_body": True})
        await send({"type": "http.response.body", "body": (await ended).encode()})

    async def socket(self, call: Call[None, None], scope: Scope, receive: Receive, send: Send) -> None:
        ended = self._ending(call)
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4401, "reason": await ended})

    def _ending(self, call: Call[None, None]) -> asyncio.Future[Ending]:
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._core.watch.watch(call.principal, "", ended.set_result)
        return ended


class Served:
    """What a process of the suite is made of, and its port."""

    def __init__(self, platform: Platform, url: str) -> None:
        self.database = platform.core.database
        self.accounts: Accounts = platform.features["accounts"].offers
        self.url = url

    async def signs_in(self, user: User) -> Issued:
        async with self.database.transaction() as tx:
            return await self.accounts.sessions.begin(tx, CALLER, user, "password")

    async def somebody(self) -> User:
        new = NewUser(email=f"{new_id('ada')}@example.com", email_confirmed=True)
        async with self.database.transaction() as tx:
            return await self.accounts.users.create(tx, CALLER, new)

    async def execute(self, statement: bytes, **parameters: object) -> None:
        async with self.database.autocommit() as tx:
            await tx.execute(statement, parameters)


@asynccontextmanager
async def a_process(**servers: str) -> AsyncIterator[Served]:
    settings = read_settings({"OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET, **servers}).settings
    platform, stop = Platform(settings), asyncio.Event()
    dialect = Listening(platform.core).dialect()
    world = World(dialects=[dialect], authenticators=platform.authenticators)
    async with platform.servers.connected(works=False, name="test"), running(world):
        services = [platform.features["accounts"].offers.session_watch.run(stop)]
        realtime = platform.features["realtime"].offers
        tasks = [asyncio.create_task(each) for each in (*services, realtime.feed.run(stop))]
        try:
            async with asyncio.timeout(10):
                await realtime.feed.connected.wait()
            yield Served(platform, world.url)
        finally:
            stop.set()
            await asyncio.gather(*tasks)


@asynccontextmanager
async def opened(processes: Sequence[Served], issued: Issued) -> AsyncIterator[list[asyncio.Task[str]]]:
    """Streams of both kinds on every process, by header and by parameter; each task ends with the reason."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        tasks = []
        header = {"Authorization": f"Bearer {issued.access_token}"}
        for process in processes:
            for _ in range(STREAMS // 2):
                socket = await http.ws_connect(
                    f"{process.url}/people/socket?access_token={issued.access_token}"
                )
                tasks.append(asyncio.create_task(reason_of(socket)))
                response = await http.get(f"{process.url}/people/sse", headers=header)
                assert await response.content.readline() == b"ready\n"
                tasks.append(asyncio.create_task(rest_of(response)))
        yield tasks


async def reason_of(socket: aiohttp.ClientWebSocketResponse) -> str:
    closed = await socket.receive()
    assert closed.data == 4401
    return str(closed.extra)


async def rest_of(response: aiohttp.ClientResponse) -> str:
    return (await response.content.read()).decode()


async def ended(streams: Sequence[asyncio.Task[str]], reason: str) -> None:
    began = time.monotonic()
    async with asyncio.timeout(SOON_SECONDS):
        assert set(await asyncio.gather(*streams)) == {reason}
    print(f"{reason} after {time.monotonic() - began:.2f} s")


def test_streams_of_two_processes_end_with_their_session(
    database_url: str, own_redis: EmbeddedServers
) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": own_redis.redis_url or ""}

    async def story() -> None:
        async with AsyncExitStack() as stack:
            first, second = [await stack.enter_async_context(a_process(**servers)) for _ in range(2)]
            both, ada, bob = [first, second], await first.somebody(), await first.somebody()
            sessions: dict[str, Any] = {}
            for name, user in (("out", ada), ("kept", ada), ("banned", bob)):
                issued = await first.signs_in(user)
                sessions[name] = issued, await stack.enter_async_context(opened(both, issued))

            issued, streams = sessions["out"]
            await second.accounts.sessions.end_one(CALLER, issued.session_id)
            await ended(streams, "revoked")
            assert not any(task.done() for task in (*sessions["kept"][1], *sessions["banned"][1]))
            async with aiohttp.ClientSession() as http:
                refused = await http.get(
                    f"{first.url}/people/sse", headers={"Authorization": f"Bearer {issued.access_token}"}
                )
                assert refused.status == 401

            _, streams = sessions["banned"]
            await first.execute(
                b"UPDATE users SET banned_until = now() + interval '1 day' WHERE id = %(id)s", id=bob.id
            )
            await ended(streams, "revoked")

            await asyncio.to_thread(own_redis.stop_redis)
            issued, streams = sessions["kept"]
            await first.accounts.sessions.refresh(CALLER, issued.refresh_token)
            await first.execute(
                b"UPDATE sessions SET counter = counter + 1 WHERE id = %(id)s", id=issued.session_id
            )
            with pytest.raises(Exception, match="Already Used"):
                await second.accounts.sessions.refresh(CALLER, issued.refresh_token)
            await ended(streams, "revoked")

    asyncio.run(asyncio.wait_for(story(), 60))


def test_streams_end_when_their_session_does(database_url: str, own_redis: EmbeddedServers) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": own_redis.redis_url or ""}

    async def story() -> None:
        async with a_process(**servers) as process:
            issued = await process.signs_in(await process.somebody())
            async with opened([process], issued) as streams:
                await process.execute(
                    b"UPDATE sessions SET not_after = now() + interval '1 second' WHERE id = %(id)s",
                    id=issued.session_id,
                )
                process.accounts.session_watch.look_soon()
                await ended(streams, "expired")

    asyncio.run(asyncio.wait_for(story(), 60))
