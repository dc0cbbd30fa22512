"""RQ as the bell: heard in another process, seen by RQ's own tools, missed by nobody when Redis is away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import redis
from rq import Queue, Worker
from rq.suspension import resume, suspend

from ogel.adapters.rq_bell import BellListener, RqBell

QUEUES = ["webhooks", "audit"]


class Ears:
    """Collects what a listener hears, on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.suspended: asyncio.Queue[bool] = asyncio.Queue()
        self._was = False

    def on_heard(self, queue: str) -> None:
        self._loop.call_soon_threadsafe(self.heard.put_nowait, queue)

    def on_suspended(self, suspended: bool) -> None:
        if suspended != self._was:
            self._was = suspended
            self._loop.call_soon_threadsafe(self.suspended.put_nowait, suspended)


@asynccontextmanager
async def listening(redis_url: str, queues: Sequence[str] = QUEUES) -> AsyncIterator[Ears]:
    ears = Ears()
    listener = BellListener(redis_url, queues, ears.on_heard, ears.on_suspended)
    listener.start()
    try:
        yield ears
    finally:
        await listener.stop()


@asynccontextmanager
async def ringing(redis_url: str) -> AsyncIterator[RqBell]:
    bell = RqBell(redis_url)
    task = asyncio.create_task(bell.run())
    try:
        yield bell
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bell.close()


async def heard(ears: Ears) -> str:
    return await asyncio.wait_for(ears.heard.get(), 10)


def test_a_ring_is_heard_and_leaves_nothing_behind(redis_url: str) -> None:
    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            for queue in ("webhooks", "audit", "webhooks"):
                bell.ring({queue})
                assert await heard(ears) == queue
        with redis.Redis.from_url(redis_url) as client:
            left = {key.decode() for key in client.keys("rq:*")}
            assert not {key for key in left if key.startswith(("rq:job:", "rq:queue:"))}, left

    asyncio.run(story())


def test_rings_unheard_are_one(redis_url: str) -> None:
    async def story() -> None:
        async with ringing(redis_url) as bell:
            with redis.Redis.from_url(redis_url) as client:
                for _ in range(5):
                    bell.ring({"webhooks"})
                    async with asyncio.timeout(10):
                        while not Queue("webhooks", connection=client).count:
                            await asyncio.sleep(0.005)
                assert Queue("webhooks", connection=client).count == 1

    asyncio.run(story())


def test_rq_info_shows_the_worker_and_its_queues(redis_url: str) -> None:
    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            await heard(ears)
            with redis.Redis.from_url(redis_url) as client:
                [worker] = Worker.all(connection=client)
            assert worker.queue_names() == QUEUES
            info = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "rq.cli", "info", "--url", redis_url, "--raw"],
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert worker.name in info.stdout, info.stderr
        with redis.Redis.from_url(redis_url) as client:
            assert Worker.all(connection=client) == []

    asyncio.run(story())


def test_suspend_and_resume_reach_the_runners(redis_url: str) -> None:
    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            await heard(ears)
            with redis.Redis.from_url(redis_url) as client:
                suspend(client)
                assert await asyncio.wait_for(ears.suspended.get(), 10) is True
                resume(client)
                assert await asyncio.wait_for(ears.suspended.get(), 10) is False

    asyncio.run(story())


def test_the_listener_survives_a_flush(redis_url: str) -> None:
    async def story() -> None:
        async with listening(redis_url) as ears, ringing(redis_url) as bell:
            bell.ring({"audit"})
            await heard(ears)
            with redis.Redis.from_url(redis_url) as client:
                client.flushall()
            bell.ring({"webhooks"})
            assert await heard(ears) == "webhooks"
            async with asyncio.timeout(10):
                with redis.Redis.from_url(redis_url) as client:
                    while not Worker.all(connection=client):
                        await asyncio.sleep(0.01)
                    [worker] = Worker.all(connection=client)
            assert worker.queue_names() == QUEUES

    asyncio.run(story())


def test_a_listener_without_redis_stops_in_time() -> None:
    async def story() -> None:
        async with asyncio.timeout(5):
            async with listening("redis://127.0.0.1:1/0"):
                pass

    asyncio.run(story())
