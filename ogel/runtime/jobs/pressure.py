"""Back-pressure: a queue that holds too much accepts no more, and says so before anything is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry

from ogel.kernel.errors import Unavailable
from ogel.runtime.database.database import DatabaseAway
from ogel.runtime.jobs.depths import Depths
from ogel.runtime.metrics.cluster import cluster_gauge

log = structlog.get_logger(__name__)

Level = Literal["ok", "soft", "hard"]


class QueueFull(Unavailable):
    """503: nothing was written; the same may be accepted later."""


# Takes the queues that a request will write to. Raises QueueFull naming the one that is full.
Admit = Callable[[Sequence[str]], None]

LOOK_SECONDS = 1.0
# Looking takes no more than this part of the time, however deep the queues are.
LOOK_PART = 0.05
RETRY_AFTER_SECONDS = 5
_NUMBERS: dict[Level, int] = {"ok": 0, "soft": 1, "hard": 2}


class QueueLimits(Struct, frozen=True):
    """
    Jobs of one queue that wait or run; not those held for a paused key, which must not stop everyone else. 0: no limit.
    """

    soft: int
    hard: int

    def level(self, jobs: int) -> Level:
        if self.hard and jobs >= self.hard:
            return "hard"
        return "soft" if self.soft and jobs >= self.soft else "ok"


class Pressure:
    """
    Looks at the queues' depths once a second, so what was accepted within it comes on top of a limit. Workers' own
    jobs are never refused: they are what makes a queue shorter.
    """

    def __init__(self, limits: QueueLimits, registry: CollectorRegistry) -> None:
        self._limits = limits
        self._levels: dict[str, Level] = {}
        self._gauge = cluster_gauge(
            "queue_pressure",
            "0 below a queue's limits, 1 past the soft one, 2 past the hard one, when nothing more is accepted.",
            ["queue"],
            registry,
        )

    def admit(self, queues: Sequence[str]) -> None:
        """Raises QueueFull naming the queue."""
        for queue in queues:
            if self._levels.get(queue) == "hard":
                raise QueueFull(
                    f"The queue {queue!r} holds {self._limits.hard} jobs or more; nothing was accepted.",
                    retry_after_seconds=RETRY_AFTER_SECONDS,
                )

    def level(self, jobs: int) -> Level:
        return self._limits.level(jobs)

    async def watch(self, depths: Depths, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            began = loop.time()
            try:
                await self._look(depths)
            except DatabaseAway as error:  # then nothing can be published either
                log.warning("pressure.database_away", error=error.reason)
            pause = max(LOOK_SECONDS, (loop.time() - began) / LOOK_PART)
            try:
                async with asyncio.timeout(pause):
                    await stop.wait()
            except TimeoutError:
                pass  # look again

    async def _look(self, depths: Depths) -> None:
        for queue, depth in (await depths.all()).items():
            level = self._limits.level(depth.pending + depth.running)
            if level != self._levels.get(queue, "ok"):
                log.warning("queue.pressure", queue=queue, pressure=level, pending=depth.pending)
            self._levels[queue] = level
            self._gauge.labels(queue).set(_NUMBERS[level])
