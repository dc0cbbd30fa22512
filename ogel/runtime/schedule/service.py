"""The scheduler service: a clock for punctuality, and a periodic check that works without the clock."""

from __future__ import annotations

import asyncio
import concurrent.futures
from datetime import datetime, timedelta

import structlog

from ogel.runtime.database.database import DatabaseAway
from ogel.runtime.schedule.clock import Clock, NotHandedOver
from ogel.runtime.schedule.ticks import Ticker

log = structlog.get_logger(__name__)

# Shorter than the clock's lock lasts, so that it is still the only one to offer a tick when we give up.
HANDOVER_SECONDS = 5.0
STOP_SECONDS = 1.5
TROUBLED_PAUSE = timedelta(minutes=1)


class SchedulerService:
    """
    Any number of them may run. Every `look_seconds` it looks for changed schedules and missed ticks; while the clock is
    away, ticks are late by up to that time.
    """

    def __init__(self, ticker: Ticker, clock: Clock, look_seconds: float = 1.0) -> None:
        self._ticker = ticker
        self._clock = clock
        self._look_seconds = look_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._taking: asyncio.Task[object] | None = None
        self._stopping = False
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set, then returns within two seconds. Raises when the clock cannot start."""
        self._loop = asyncio.get_running_loop()
        net = asyncio.create_task(self._keep_up())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({net, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping = True
            for task in (net, stopped, self._taking):
                if task is not None:
                    task.cancel()
            # A cancelled query waits for the database, which may hang; this limits the wait.
            await asyncio.gather(asyncio.wait({net}, timeout=STOP_SECONDS), self._clock.stop())
        if net.done() and not net.cancelled():
            net.result()

    async def _keep_up(self) -> None:
        # Before the clock starts, because it would run schedules that are not registered yet.
        await self._catch_up()
        self._clock.start(self._due)
        while True:
            await asyncio.sleep(self._look_seconds)
            await self._catch_up()

    async def _catch_up(self) -> None:
        try:
            expected = await self._ticker.catch_up()
            if expected is not None:
                self._clock.expect(expected)
        except DatabaseAway as error:
            if not self._away:
                log.warning("scheduler.database_away", error=error.reason)
            self._away = True
        except Exception:
            log.exception("scheduler.catch_up_failed")
        else:
            if self._away:
                log.info("scheduler.database_back")
            self._away = False

    def _due(self, name: str, at: datetime) -> datetime | None:
        """Called from the clock's thread."""
        assert self._loop is not None
        handover = asyncio.run_coroutine_threadsafe(self._take(name, at), self._loop)
        try:
            return handover.result(HANDOVER_SECONDS)
        except NotHandedOver:
            raise
        except (TimeoutError, concurrent.futures.CancelledError, DatabaseAway) as error:
            handover.cancel()
            raise NotHandedOver(f"{type(error).__name__}: {error}".strip(": ")) from error
        except Exception:
            # An immediate retry would fail again and delay the schedules behind it; catch_up tries again later.
            log.exception("schedule.failed", schedule=name)
            return at + TROUBLED_PAUSE

    async def _take(self, name: str, at: datetime) -> datetime | None:
        if self._stopping:
            raise NotHandedOver("the scheduler is stopping")
        self._taking = asyncio.current_task()
        return await self._ticker.run_due(name, at)
