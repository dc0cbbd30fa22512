"""Ringing: after it, each queue has exactly one ring waiting, whatever was there before."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable

import redis
import structlog
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

log = structlog.get_logger(__name__)

# A ring costs Redis and both processes more than a claim costs Postgres: the next goes out no sooner after the last.
SPACING_SECONDS = 0.005
# Between tries while Redis is away.
AGAIN_SECONDS = 1.0
SOCKET_TIMEOUT_SECONDS = 2.0
# For RQ's dashboards only: what is heard is the entry in the queue, and that stays.
RING_TTL_SECONDS = 60


def ring() -> None:
    """What a ring names as its function; the listener answers it without calling it."""


def ring_id(queue: str) -> str:
    return f"ogel-bell-{queue}"


def send(connection: redis.Redis, queues: Iterable[str]) -> None:
    """
    In one step. Whether a ring waits already is asked of nobody but the queue itself: what else could tell (a key that
    says so) outlives a listener that was killed, or is gone when the entry is not, and mutes or swallows a ring.
    """
    with connection.pipeline() as pipeline:
        pipeline.multi()
        for name in queues:
            queue = Queue(name, connection=connection, serializer=JSONSerializer)
            pipeline.lrem(queue.key, 0, ring_id(name))
            pipeline.delete(Job.key_for(ring_id(name)))
            queue.enqueue(
                ring,
                job_id=ring_id(name),
                ttl=RING_TTL_SECONDS,
                result_ttl=0,
                failure_ttl=0,
                pipeline=pipeline,
            )
        pipeline.execute()


class RqBell:
    """
    Rings queues through RQ, from a thread: the first at once, those that follow closely together. Without Redis it says
    so once, and rings when it is back.
    """

    def __init__(self, redis_url: str) -> None:
        self._connection = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_TIMEOUT_SECONDS, socket_connect_timeout=SOCKET_TIMEOUT_SECONDS
        )
        self._waiting: set[str] = set()
        self._some = asyncio.Event()
        self._away = False

    def ring(self, queues: set[str]) -> None:
        """On the event loop; returns at once."""
        self._waiting |= queues
        self._some.set()

    async def run(self) -> None:
        """Sends gathered rings until cancelled."""
        loop, rung_at = asyncio.get_running_loop(), -math.inf
        while True:
            await self._some.wait()
            await asyncio.sleep(max(0.0, rung_at + SPACING_SECONDS - loop.time()))
            rung_at = loop.time()
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001 - a bell that stopped for good would cost every event a poll
                if not self._away:
                    log.warning("bell.redis_away", error=str(error))
                self._away = True
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                if self._away:
                    log.info("bell.redis_back")
                self._away = False

    async def flush(self) -> None:
        """Sends what waits now. Raises what Redis does; what was not sent then waits on."""
        queues, self._waiting = self._waiting, set()
        self._some.clear()
        if not queues:
            return
        sent = False
        try:
            await asyncio.to_thread(send, self._connection, queues)
            sent = True
        finally:
            if not sent:
                self.ring(queues)

    def close(self) -> None:
        self._connection.close()
