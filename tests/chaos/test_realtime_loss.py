"""Whatever dies in mid-stream, a client that comes back has heard everything, once and in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import Any

import aiohttp
import pytest

from ogel.adapters.embedded import EmbeddedServers
from tests.support.process import ADMIN_KEY, Ogel

CHANNELS = ("chat:1", "chat:2")
MESSAGES = 30
EVENTS = 15
PATIENCE_SECONDS = 40
KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}
FAULTS = ("node", "redis", "flush", "postgres", "away")


@dataclass
class Suite:
    """Two processes that have everything, on servers of their own."""

    servers: EmbeddedServers
    nodes: list[Ogel]
    rounds: int = 0
    wanted: Queue[Future[None]] = field(default_factory=Queue)

    async def fault(self) -> None:
        """Asks for one, and waits until it is over: servers are started by the main thread alone."""
        happened: Future[None] = Future()
        self.wanted.put(happened)
        await asyncio.wrap_future(happened)

    def cause(self, name: str, chance: random.Random) -> None:
        node, seconds = chance.choice(self.nodes), chance.uniform(0.05, 0.6)
        match name:
            case "node":
                assert node.process is not None
                os.kill(node.process.pid, signal.SIGKILL)
                node.process.wait(10)
                node.start()
            case "redis":
                self.servers.stop_redis(0)
                self.servers.start_redis()
            case "flush":
                import redis

                redis.Redis.from_url(self.servers.redis_url or "").flushall()
            case "postgres":
                self.servers.stop_postgres(0)
                self.servers.start_postgres()
            case "away":
                pid = self.servers.pids["redis"]
                os.kill(pid, signal.SIGSTOP)
                try:
                    time.sleep(seconds)  # it is the time that counts
                finally:
                    os.kill(pid, signal.SIGCONT)


@dataclass
class Heard:
    offsets: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    gaps: int = 0
    connections: int = 0


class Listener:
    """A client as it should be: it keeps the newest cursor, and comes back to whoever answers."""

    def __init__(self, suite: Suite, round: str, chance: random.Random) -> None:
        self._suite = suite
        self._round = round
        self._chance = chance
        self._cursor: str | None = None
        self.heard = Heard()
        self.ready = asyncio.Event()
        self.changed = asyncio.Event()

    async def run(self, http: aiohttp.ClientSession) -> None:
        while True:
            with suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
                await self._listen(http)
            await asyncio.sleep(self._chance.uniform(0.01, 0.1))

    async def _listen(self, http: aiohttp.ClientSession) -> None:
        node = self._chance.choice(self._suite.nodes)
        names = ",".join(f"{channel}:{self._round}" for channel in CHANNELS)
        query = {"events": f"chaos.{self._round}", "channels": names}
        if self._cursor is not None:
            query["since"] = self._cursor
        url = f"http://127.0.0.1:{node.port}/realtime/websocket"
        async with http.ws_connect(
            url, params=query, headers=KEY, timeout=aiohttp.ClientWSTimeout(1)
        ) as socket:
            self.heard.connections += 1
            deadline = asyncio.get_running_loop().time() + self._chance.uniform(0.2, 3.0)
            while (left := deadline - asyncio.get_running_loop().time()) > 0:
                try:
                    message = await socket.receive(left)
                except TimeoutError:
                    return  # it leaves of its own accord now and then, and in the middle
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                self._take(message.json())

    def _take(self, said: dict[str, Any]) -> None:
        match said["type"]:
            case "ready":
                self.ready.set()
                self.heard.gaps += said.get("recovered") is False
            case "gap":
                self.heard.gaps += 1
                return
            case "message":
                self.heard.offsets.setdefault(said["channel"], []).append((said["data"], said["offset"]))
            case "event":
                self.heard.events.append(said["event"]["id"])
        self._cursor = said["cursor"]
        self.changed.set()


async def accepted(
    suite: Suite, http: aiohttp.ClientSession, path: str, body: Any, chance: random.Random
) -> Any:
    """What was answered once it was accepted; the same request until then, which changes nothing twice."""
    while True:
        node = chance.choice(suite.nodes)
        with suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
            url = f"http://127.0.0.1:{node.port}{path}"
            async with http.post(url, json=body, headers=KEY) as answer:
                if answer.status < 300:
                    return await answer.json()
                assert answer.status in (429, 502, 503), await answer.text()
        await asyncio.sleep(0.05)


async def a_round(suite: Suite, seed: int) -> None:
    chance = random.Random(seed)
    suite.rounds += 1
    round = f"{seed}x{suite.rounds}"
    timeout = aiohttp.ClientTimeout(total=5)
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession(timeout=timeout) as http:
        listener = Listener(suite, round, chance)
        listening = asyncio.create_task(listener.run(http))
        await listener.ready.wait()
        sent: dict[str, list[tuple[str, int]]] = {}

        async def talk(channel: str) -> None:
            name = f"{channel}:{round}"
            for number in range(MESSAGES):
                body = {"data": str(number), "idempotency_key": f"{number}"}
                place = await accepted(suite, http, f"/api/channels/{name}/publish", body, chance)
                sent.setdefault(name, []).append((str(number), place["offset"]))
                await asyncio.sleep(chance.uniform(0, 0.04))

        async def happen() -> list[str]:
            ids = [f"evt_{round}_{number}" for number in range(EVENTS)]
            for id in ids:
                await accepted(
                    suite, http, "/api/events", {"type": f"chaos.{round}", "id": id, "data": None}, chance
                )
                await asyncio.sleep(chance.uniform(0, 0.08))
            return ids

        async def go_wrong() -> None:
            await asyncio.sleep(chance.uniform(0, 0.6))
            await suite.fault()

        talking = [asyncio.create_task(talk(channel)) for channel in CHANNELS]
        ids, *_ = await asyncio.gather(happen(), go_wrong(), *talking)

        def all_heard() -> bool:
            heard = listener.heard
            return len(heard.events) >= len(ids) and all(
                heard.offsets.get(name, [])[-1:] == places[-1:] for name, places in sent.items()
            )

        while not all_heard():
            listener.changed.clear()
            await listener.changed.wait()
        listening.cancel()
        await asyncio.wait([listening])
    assert listener.heard.gaps == 0
    assert listener.heard.offsets == sent
    assert listener.heard.events == ids


def run(suite: Suite, seed: int) -> None:
    """The clients in a thread of their own, what goes wrong in this one."""
    chance = random.Random(-seed)
    with ThreadPoolExecutor(1) as threads:
        clients = threads.submit(lambda: asyncio.run(a_round(suite, seed)))
        while not clients.done():
            with suppress(Empty):
                happened = suite.wanted.get(timeout=0.05)
                suite.cause(FAULTS[seed % len(FAULTS)], chance)
                happened.set_result(None)
        clients.result()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    directory = tmp_path_factory.mktemp("suite")
    with EmbeddedServers.start(directory / "servers") as servers:
        urls = {"DATABASE_URL": servers.database_url or "", "REDIS_URL": servers.redis_url or ""}
        rates = {
            "OGEL_RATE_PUBLISH": "off",
            "OGEL_RATE_STREAM": "off",
            "OGEL_DATA_DIR": str(directory / "data"),
        }
        roles = ("api", "--with", "worker,scheduler,realtime")
        one, other = (Ogel(*roles, log=directory / f"{name}.log", **urls, **rates) for name in "ab")
        with one, other:
            yield Suite(servers, [one, other])


@pytest.mark.parametrize("seed", range(len(FAULTS)))
def test_a_fault_in_mid_stream_loses_and_doubles_nothing(suite: Suite, seed: int) -> None:
    run(suite, seed)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_faults_lose_and_double_nothing(suite: Suite) -> None:
    for seed in range(100, 300):
        run(suite, seed)
        print(f"{seed - 99} of 200: {FAULTS[seed % len(FAULTS)]}", end="\r", flush=True)
