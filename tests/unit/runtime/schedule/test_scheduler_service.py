"""The scheduler service between a clock in its thread and a ticker on the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.reserved import ReservedTypes
from ogel.runtime.schedule.clock import Due, NotHandedOver
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.service import SchedulerService
from ogel.runtime.schedule.ticks import Ticker

TICK = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
NEXT = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
LIMIT_SECONDS = 10


class HandClock:
    """Tells one tick when started, from a thread, and keeps what came of it."""

    def __init__(self) -> None:
        self.outcome: BaseException | datetime | None = None
        self.expected: list[Mapping[str, datetime]] = []
        self.told = threading.Event()
        self._thread: threading.Thread | None = None

    def expect(self, times: Mapping[str, datetime]) -> None:
        self.expected.append(times)

    def start(self, due: Due) -> None:
        self._thread = threading.Thread(target=self._tell, args=(due,))
        self._thread.start()

    def _tell(self, due: Due) -> None:
        try:
            self.outcome = due("purge", TICK)
        except NotHandedOver as error:
            self.outcome = error
        self.told.set()

    async def stop(self) -> None:
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, LIMIT_SECONDS)


class FakeTicker:
    def __init__(self, failure: Exception | None = None, hangs: bool = False) -> None:
        self.failure, self.hangs = failure, hangs
        self.due: list[tuple[str, datetime]] = []
        self.entered = asyncio.Event()
        self.looks = asyncio.Semaphore(0)
        self.changed: Mapping[str, datetime] | None = {"purge": TICK}
        self.failures_to_catch_up: list[Exception] = []

    async def run_due(self, name: str, at: datetime) -> datetime | None:
        self.due.append((name, at))
        self.entered.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        return NEXT

    async def catch_up(self) -> Mapping[str, datetime] | None:
        self.looks.release()
        if self.failures_to_catch_up:
            raise self.failures_to_catch_up.pop(0)
        changed, self.changed = self.changed, None
        return changed


async def tell(ticker: FakeTicker, until: Any) -> HandClock:
    clock, stop = HandClock(), asyncio.Event()
    service = SchedulerService(cast(Ticker, ticker), clock, look_seconds=0.01)
    async with asyncio.timeout(LIMIT_SECONDS):
        running = asyncio.create_task(service.run(stop))
        await until(clock)
        stop.set()
        await running
    return clock


async def told(clock: HandClock) -> None:
    assert await asyncio.to_thread(clock.told.wait, LIMIT_SECONDS)


def test_a_due_tick_reaches_the_loop() -> None:
    async def story() -> None:
        ticker = FakeTicker()
        assert (await tell(ticker, told)).outcome == NEXT
        assert ticker.due == [("purge", TICK)]

    asyncio.run(story())


def test_a_tick_is_handed_back_while_the_database_is_away() -> None:
    async def story() -> None:
        clock = await tell(FakeTicker(DatabaseAway("connection refused")), told)
        assert isinstance(clock.outcome, NotHandedOver)
        assert "connection refused" in str(clock.outcome)

    asyncio.run(story())


def test_a_schedule_that_cannot_run_is_reported_and_not_offered_for_ever() -> None:
    async def story() -> None:
        with capture_logs() as logs:
            clock = await tell(FakeTicker(KeyError("no.such.kind")), told)
        assert isinstance(clock.outcome, datetime)
        assert clock.outcome > TICK
        assert [entry["event"] for entry in logs] == ["schedule.failed"]

    asyncio.run(story())


def test_stopping_frees_a_clock_whose_tick_hangs() -> None:
    async def story() -> None:
        ticker = FakeTicker(hangs=True)
        clock = await tell(ticker, lambda _: ticker.entered.wait())
        assert isinstance(clock.outcome, NotHandedOver)

    asyncio.run(story())


def test_the_net_outlives_every_failure_and_reports_an_outage_once() -> None:
    async def story() -> None:
        ticker = FakeTicker()
        away = DatabaseAway("gone")
        ticker.failures_to_catch_up = [away, away, RuntimeError("a bug"), away]

        async def six_looks(clock: HandClock) -> None:
            for _ in range(6):
                await ticker.looks.acquire()

        with capture_logs() as logs:
            await tell(ticker, six_looks)
        events = [entry["event"] for entry in logs if entry["event"].startswith("scheduler.")]
        assert events == ["scheduler.database_away", "scheduler.catch_up_failed", "scheduler.database_back"]

    asyncio.run(story())


def test_the_clock_is_told_of_changes_before_it_starts_and_only_then() -> None:
    async def story() -> None:
        ticker = FakeTicker()

        async def looks(clock: HandClock) -> None:
            for _ in range(3):
                await ticker.looks.acquire()
            ticker.changed = {}
            for _ in range(3):
                await ticker.looks.acquire()

        assert (await tell(ticker, looks)).expected == [{"purge": TICK}, {}]

    asyncio.run(story())


def test_a_clock_that_cannot_start_ends_the_service() -> None:
    class Broken(HandClock):
        def start(self, due: Due) -> None:
            raise RuntimeError("can't start new thread")

    async def story() -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            with pytest.raises(RuntimeError, match="new thread"):
                await SchedulerService(cast(Ticker, FakeTicker()), Broken()).run(asyncio.Event())

    asyncio.run(story())


def test_two_schedules_of_one_name_are_refused() -> None:
    hourly = Schedule("purge", "0 * * * *", kind="purge", description="Deletes what is old.")
    daily = Schedule("purge", "0 0 * * *", kind="purge", description="Deletes what is old.")
    with pytest.raises(ValueError, match="share a name"):
        Ticker(cast(Database, None), JobQueue(), Outbox(JobQueue()), ReservedTypes(tuple), [hourly, daily])
