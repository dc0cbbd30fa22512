"""Writes the results of performed jobs: at once, or in batches while they come faster than they can be written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from ogel.runtime.database.database import DatabaseAway
from ogel.runtime.jobs.endings import EndingStore
from ogel.runtime.jobs.job import Finished, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.pace import BatchPace

log = structlog.get_logger(__name__)

# A transaction costs far more than one result in it, so at most half of the time is spent on transactions, and results
# that come meanwhile are batched. A write begins this many seconds after the last one began, at the latest.
MOST_GATHER_SECONDS = 0.020
MOST_PER_WRITE = 250
# While one write waits for the disk, another may be under way.
WRITERS = 2


class ResultWriter:
    """Bounded by the runner's slots: a job keeps its slot and its lease until its result is written."""

    def __init__(
        self,
        endings: EndingStore,
        kinds: Mapping[str, JobKind],
        metrics: JobMetrics,
        queue: str,
        written: Callable[[Sequence[Finished]], None],
    ) -> None:
        self._endings = endings
        self._kinds = kinds
        self._metrics = metrics
        self._queue = queue
        self._written = written
        self._waiting: list[Finished] = []
        self._being_written = 0
        self._pace = BatchPace()
        self._some = asyncio.Event()
        self._closing = asyncio.Event()
        self._emptied = asyncio.Event()

    def add(self, finished: Finished) -> None:
        self._waiting.append(finished)
        self._emptied.clear()
        self._some.set()

    async def run(self) -> None:
        """Writes until closed and empty. While the database is away, results are kept and not dropped."""
        await asyncio.gather(*(self._write_forever() for _ in range(WRITERS)))

    async def _write_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or not self._closing.is_set():
            await self._some.wait()
            await self._gather()
            batch, self._waiting = self._waiting[:MOST_PER_WRITE], self._waiting[MOST_PER_WRITE:]
            if not self._waiting and not self._closing.is_set():
                self._some.clear()
            if not batch:
                continue
            began = loop.time()
            self._pace.began(began)
            self._being_written += len(batch)
            late = await self._write_at_last(batch)
            self._being_written -= len(batch)
            self._pace.took(loop.time() - began)
            if not self._unwritten:
                self._emptied.set()
            self._metrics.finished(self._queue, batch, late)
            if late:
                log.warning("results.late", queue=self._queue, jobs=late)
            self._written(batch)

    async def _gather(self) -> None:
        """Waits for at least a turn of the loop, so that results of the same turn are written together."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        while not self._closing.is_set():
            await asyncio.sleep(pause)
            # The other writer may have begun meanwhile.
            pause = self._pace.pause(loop.time(), MOST_GATHER_SECONDS)
            if pause <= 0:
                return

    @property
    def _unwritten(self) -> int:
        return len(self._waiting) + self._being_written

    async def close(self, timeout_seconds: float) -> None:
        """Writes what is left. After the timeout, leases expire and the jobs are performed again elsewhere."""
        self._closing.set()
        self._some.set()
        if self._unwritten:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await self._emptied.wait()
        if self._unwritten:
            log.error("results.lost", queue=self._queue, jobs=self._unwritten)

    async def _write_at_last(self, batch: Sequence[Finished]) -> int:
        """Retries until the write succeeds. Returns how many results came too late."""
        failures = 0
        while True:
            try:
                return await self._write(batch)
            except Exception as error:  # noqa: BLE001 - kept and tried again, whatever it was
                failures += 1
                log.error(
                    "results.not_written",
                    queue=self._queue,
                    jobs=len(batch),
                    tries=failures,
                    error=str(error),
                )
                await asyncio.sleep(min(5.0, 0.1 * 2.0 ** min(failures, 10)))

    async def _write(self, batch: Sequence[Finished]) -> int:
        try:
            return await self._endings.write(batch, self._kinds)
        except DatabaseAway:
            raise
        except Exception:
            if len(batch) == 1:
                return await self._bury(batch[0])
            log.exception("results.refused", queue=self._queue, jobs=len(batch))
        # One result that the database rejects must not hold back the others.
        return sum([await self._write([finished]) for finished in batch])

    async def _bury(self, finished: Finished) -> int:
        """
        Marks a job as dead, with the reason, when its own `record` cannot write the result; otherwise it would come
        back for ever.
        """
        log.exception("results.unwritable", queue=self._queue, job=finished.job.id, kind=finished.job.kind)
        outcome = Outcome("dead", "its result could not be written; see the log")
        buried = [Finished(finished.job, outcome, None)]
        try:
            return await self._endings.write(buried, self._kinds)
        except DatabaseAway:
            raise
        except Exception:  # not even the failure can be recorded
            log.exception(
                "results.unburiable", queue=self._queue, job=finished.job.id, kind=finished.job.kind
            )
            return await self._endings.write(buried, {})
