"""Sends rings: afterwards exactly one ring waits in each queue, whatever was there before."""

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

# Seconds between rings: one costs Redis and both processes more than a claim costs Postgres.
SPACING_SECONDS = 0.005
# Seconds between tries while Redis is away.
AGAIN_SECONDS = 1.0
SOCKET_TIMEOUT_SECONDS = 2.0
# For RQ's dashboards only. The listener reads the entry in the queue, which does not expire.
RING_TTL_SECONDS = 60


def ring() -> None:
    """The function that a ring names. The listener handles it and never calls it."""


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
    Sends rings through RQ on a thread: the first at once, later ones in batches. While Redis is away it logs so once,
    and sends them when Redis is back.
    """

    def __init__(self, redis_url: str) -> None:
        self._connection = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_TIMEOUT_SECONDS, socket_connect_timeout=SOCKET_TIMEOUT_SECONDS
        )
        self._waiting: set[str] = set()
        self._some = asyncio.Event()
        self._away = False

    def ring(self, queues: set[str]) -> None:
        """Requests a ring. Call it on the event loop; it returns at once."""
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
        """Sends the waiting rings. Raises errors of Redis; rings that were not sent keep waiting."""
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
