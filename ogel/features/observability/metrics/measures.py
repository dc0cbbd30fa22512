"""Metrics read from the database: rarely, however often they are scraped, and never waited for long."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import CollectorRegistry, Gauge

from ogel.runtime.feature import Measure

log = structlog.get_logger(__name__)

# Many Prometheus servers may scrape at once; each process queries the database at most this often…
EVERY_SECONDS = 2.0
# …and spends at most this part of one core on it.
PART_OF_TIME = 0.05
# A scrape waits this long for newer numbers, and then shows the present ones.
PATIENCE_SECONDS = 2.0
MOST_SECONDS = 10.0


class Measures:
    def __init__(self, measures: Callable[[], Sequence[Measure]], registry: CollectorRegistry) -> None:
        self._measures = measures
        self._asking: asyncio.Task[None] | None = None
        self._ask_at = -math.inf
        self._answered_at = -math.inf
        Gauge(
            "ogel_database_numbers_age_seconds",
            "Since the database was last asked for what only it knows, such as ogel_cluster_queue_jobs; +Inf: not yet.",
            registry=registry,
        ).set_function(lambda: time.monotonic() - self._answered_at)

    async def refresh(self) -> None:
        """Never raises: without the database the numbers stay as they were, and a metric shows their age."""
        if self._asking is None and time.monotonic() >= self._ask_at:
            self._asking = asyncio.create_task(self._ask(), name="measures")
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=PATIENCE_SECONDS)

    async def _ask(self) -> None:
        began = time.monotonic()
        pause = EVERY_SECONDS
        try:
            async with asyncio.timeout(MOST_SECONDS):
                for measure in self._measures():
                    await measure()
            self._answered_at = began
            pause = max(EVERY_SECONDS, (time.monotonic() - began) / PART_OF_TIME)
        except Exception as error:  # noqa: BLE001 - metrics must come most of all when something is wrong
            log.warning("metrics.incomplete", error=f"{type(error).__name__}: {error}")
        finally:
            self._asking = None
            self._ask_at = time.monotonic() + pause
