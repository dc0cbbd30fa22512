"""Detects that this process uses too much memory, so that it can restart."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from ogel.runtime.process.vitals import resident_bytes

log = structlog.get_logger(__name__)

MEGABYTE = 1_000_000
LOOK_SECONDS = 3.0
# A process works at least this long before it restarts, so that it does not spend its time on restarting.
LEAST_SECONDS = 60.0


class MemoryLimit:
    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes
        self.passed = False

    async def watch(self, stop: asyncio.Event) -> None:
        """
        Returns at `stop`, or when memory exceeds the limit. A process that exceeded it before it had any work is not
        restarted.
        """
        loop = asyncio.get_running_loop()
        began, idle = loop.time(), resident_bytes() // MEGABYTE
        if idle >= self._megabytes:
            log.error(
                "worker.memory_limit_too_low", idle_mb=idle, limit_mb=self._megabytes, meaning="no limit"
            )
            await stop.wait()
            return
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
                    return
            resident, seconds = resident_bytes() // MEGABYTE, loop.time() - began
            if resident > self._megabytes and seconds >= LEAST_SECONDS:
                self.passed = True
                log.warning(
                    "worker.restarting",
                    resident_mb=resident,
                    limit_mb=self._megabytes,
                    idle_mb=idle,
                    after_seconds=round(seconds),
                )
                return

    async def is_kept(self) -> bool:
        """For the readiness probe: a process above the limit gets no new work."""
        return not self.passed
