"""Hands over the counts of this process every half minute and at a clean shutdown, each count exactly once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from prometheus_client import CollectorRegistry

from ogel.features.observability.slo.objectives import is_promised
from ogel.features.observability.slo.store import SloStore
from ogel.features.observability.usage.counters import Series, counted
from ogel.features.observability.usage.metrics import Metric
from ogel.features.observability.usage.store import Delta, Flush, UsageStore
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database
from ogel.runtime.feature import TakePeak
from ogel.runtime.metrics.tallies import Counted, Tallies
from ogel.runtime.process.vitals import cpu_seconds, resident_bytes

log = structlog.get_logger(__name__)

LAST_FLUSH_SECONDS = 5.0


class _Unsent(NamedTuple):
    deltas: Sequence[Delta]
    tallies: Sequence[Counted]


class Flusher:
    """
    One per process. A flush that fails is sent again unchanged, with the same number, while new counts wait in the
    counters. So nothing is lost while Postgres is away, and memory does not grow.
    """

    def __init__(
        self,
        database: Database,
        store: UsageStore,
        registry: CollectorRegistry,
        peaks: Callable[[], Mapping[Metric, TakePeak]],
        every_seconds: float,
        tallies: Tallies | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._registry = registry
        self._peaks = peaks
        self._every_seconds = every_seconds
        self._tallies = Tallies() if tallies is None else tallies
        self._slo = SloStore()
        self._process = new_id("proc")
        self._name = ""
        self._number = 0
        self._handed_over: Counter[Series] = Counter()
        self._unsent: _Unsent | None = None

    async def run(self, name: str, stop: asyncio.Event) -> None:
        """`name` says what the process does. Ends soon after `stop`; call `last` afterwards."""
        self._name = name
        while not stop.is_set():
            # Spreads the writes of processes that were started together.
            pause = self._every_seconds * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()
                    return
            await self._try_flush()

    async def last(self) -> None:
        """Called when nothing more will be counted. Counts that cannot be written within seconds are lost."""
        try:
            async with asyncio.timeout(LAST_FLUSH_SECONDS):
                # A flush that failed before goes first.
                if self._unsent is not None:
                    await self.flush()
                await self.flush()
        except Exception as error:  # noqa: BLE001 - the process ends, and must end well
            log.warning("usage.lost", error=f"{type(error).__name__}: {error}")

    async def flush(self) -> None:
        """Raises what the database raises; the next call sends the same flush again."""
        if self._unsent is None:
            tallies = [each for each in self._tallies.take() if is_promised(each.name)]
            self._unsent = _Unsent(self._new_deltas(), tallies)
            self._number += 1
        flush = Flush(self._process, self._name, self._number, resident_bytes(), cpu_seconds())
        async with self._database.transaction() as tx:
            if await self._store.append(tx, flush, self._unsent.deltas) and self._unsent.tallies:
                await self._slo.append(tx, self._unsent.tallies)
        self._unsent = None

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except Exception as error:  # noqa: BLE001 - counting must never end what is counted; it is tried again
            log.warning("usage.not_flushed", flush=self._number, error=f"{type(error).__name__}: {error}")

    def _new_deltas(self) -> Sequence[Delta]:
        now = counted(self._registry)
        new = now - self._handed_over
        self._handed_over = now
        deltas = [Delta(metric, dict(labels), value) for (metric, labels), value in new.items()]
        peaks = [Delta(metric, {}, take()) for metric, take in self._peaks().items()]
        return [*deltas, *(peak for peak in peaks if peak.value > 0)]
