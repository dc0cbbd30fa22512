"""Tells all processes of publications once they are committed. A hint: whoever misses one finds it in Postgres."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter

from ogel.kernel.errors import Unavailable
from ogel.runtime.realtime.broadcast import Broadcast
from ogel.runtime.realtime.publication import PUBLICATIONS, Publication, packed

log = structlog.get_logger(__name__)

# What waits for Redis is dropped beyond this: by then, processes have looked into Postgres.
MOST_WAITING = 10_000
_MOST_AT_ONCE = 500


class Sender:
    def __init__(self, broadcast: Broadcast, registry: CollectorRegistry) -> None:
        self._broadcast = broadcast
        self._waiting: deque[Publication] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._unsent = Counter(
            "ogel_realtime_publications_unsent_total",
            "Publications that processes had to find in Postgres, as Redis did not take them.",
            registry=registry,
        )

    def send(self, publications: Sequence[Publication]) -> None:
        """After the commit; returns at once."""
        room = MOST_WAITING - len(self._waiting)
        self._waiting.extend(publications[: max(room, 0)])
        if (lost := len(publications) - room) > 0:
            self._unsent.inc(lost)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(_MOST_AT_ONCE, len(self._waiting)))]
            try:
                await self._broadcast.publish(PUBLICATIONS, [packed(each) for each in some])
            except Unavailable as error:
                self._unsent.inc(len(some) + len(self._waiting))
                log.warning(
                    "realtime.unsent", publications=len(some) + len(self._waiting), error=error.message
                )
                self._waiting.clear()
