"""Schedules on a real Postgres and Redis: each tick runs once, whoever counts the time and whatever becomes of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import redis
from msgspec.structs import replace
from structlog.testing import capture_logs

from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.rq_clock import Entries, RqClock, entry_id
from ogel.features.audit.store import AuditStore
from ogel.features.schedules.schedule import EventOfTick, JobOfTick, NewSchedule, ScheduleChange
from ogel.features.schedules.service import ScheduleService
from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import DatabaseAway, Transaction
from ogel.runtime.reserved import ReservedTypes
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.service import SchedulerService
from ogel.runtime.schedule.ticks import Ticker
from tests.support.schedules import (
    KINDS,
    LIMIT_SECONDS,
    LONG_AGO,
    PURGE,
    REPORTS,
    RESERVED,
    SCHEDULES,
    World,
    a_world,
    in_a_world,
)

CALLER = Caller(SYSTEM, "req_1", "127.0.0.1", "tests")
SECOND = timedelta(seconds=1)


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


@asynccontextmanager
async def running(world: World, redis_url: str, look_seconds: float = 15.0) -> AsyncIterator[None]:
    stop = asyncio.Event()
    clock = RqClock(redis_url, interval_seconds=0.02)
    service = asyncio.create_task(SchedulerService(world.ticker(), clock, look_seconds).run(stop))
    try:
        yield
    finally:
        stop.set()
        await service


def entries_written(store: redis.Redis) -> None:
    """Waits for each entry and takes it away as it appears, and the next call what is written anew."""
    for _ in SCHEDULES:
        assert store.bzpopmin(Entries.scheduled_jobs_key, LIMIT_SECONDS), "entries were not written"


async def a_job(world: World, name: str = "nightly", **wanted: Any) -> None:
    new = {"name": name, "cron": "* * * * *", "job": JobOfTick(kind="reports.make"), **wanted}
    await world.service().create(CALLER, NewSchedule(**new))


# --- the ticker ---


def test_three_schedulers_racing_over_forty_ticks_run_each_once(database_url: str) -> None:
    async def one() -> None:
        async with a_world(database_url) as world:
            await world.ticker([EVERY_SECOND]).run_due(EVERY_SECOND.name)

    async def story() -> None:
        async with a_world(database_url) as world:
            since = utc_now().replace(microsecond=0) - 40 * SECOND
            await world.last_tick_was(EVERY_SECOND.name, since)
            await asyncio.gather(one(), one(), one())
            last, _, following = await world.state(EVERY_SECOND.name)
            assert last is not None
            ticks = [since + n * SECOND for n in range(1, round((last - since) / SECOND) + 1)]
            assert len(ticks) >= 40
            written = await world.written()
            assert [key for _, _, key in written] == [
                f"{EVERY_SECOND.name}:{rfc3339(tick)}" for tick in ticks
            ]
            assert [payload["tick"] for _, payload, _ in written] == [rfc3339(tick) for tick in ticks]
            assert following == last + SECOND

    EVERY_SECOND = Schedule("every.second", "* * * * * *", kind="reports.make")
    asyncio.run(story())


def test_after_an_outage_the_newest_missed_tick_runs_late_and_says_so(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.last_tick_was(REPORTS.name, LONG_AGO)
        with capture_logs() as logs:
            await world.ticker().catch_up()
            await world.ticker().catch_up()
        [(kind, payload, _)] = await world.written()
        tick = REPORTS.ticks.last_tick(utc_now())
        assert (kind, payload["tick"], payload["of"]) == ("reports.make", rfc3339(tick), "all")
        assert payload["late_seconds"] == pytest.approx((utc_now() - tick).total_seconds(), abs=60)
        late = [entry for entry in logs if entry["event"] == "schedule.late"]
        assert [(entry["schedule"], entry["log_level"]) for entry in late] == [(REPORTS.name, "warning")]
        shown = await world.service().get(REPORTS.name)
        assert shown.last_late_seconds == pytest.approx(payload["late_seconds"], abs=1)
        assert shown.last_outcome == "waiting"

    in_a_world(database_url, story)


def test_a_new_schedule_is_registered_without_running(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.ticker().catch_up()
        await world.ticker().catch_up()
        assert await world.written() == []
        assert await world.state(PURGE.name) == (None, None, PURGE.ticks.next_tick(utc_now()))

    in_a_world(database_url, story)


def test_ticks_of_the_version_before_are_gone_on_from(database_url: str) -> None:
    async def story(world: World) -> None:
        last = REPORTS.ticks.last_tick(utc_now())
        async with world.database.autocommit() as tx:
            await tx.execute(
                b"INSERT INTO schedules (name, last_tick_at) VALUES ('reports.yearly', %(last)s),"
                b" ('retention.purge', %(long_ago)s)",
                {"last": last, "long_ago": LONG_AGO},
            )
        await world.ticker().catch_up()
        assert [kind for kind, _, _ in await world.written()] == [PURGE.kind]

    in_a_world(database_url, story)


def test_what_was_switched_off_or_moved_makes_up_for_nothing(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.ticker().catch_up()
        await world.last_tick_was(REPORTS.name, LONG_AGO)
        off = Schedule(REPORTS.name, REPORTS.cron, kind=REPORTS.kind, enabled=False)
        await world.ticker([off]).catch_up()
        assert (await world.state(REPORTS.name))[2] is None
        await world.ticker([REPORTS]).catch_up()
        await world.last_tick_was(REPORTS.name, LONG_AGO)
        await world.ticker([Schedule(REPORTS.name, "5 5 * * *", kind=REPORTS.kind)]).catch_up()
        assert await world.written() == []

    in_a_world(database_url, story)


def test_clocks_that_go_back_or_are_wrong_run_no_tick_twice_and_none_early(database_url: str) -> None:
    async def story(world: World) -> None:
        await a_job(world)
        ticker, now = world.ticker(), utc_now()
        await world.last_tick_was("nightly", now - timedelta(minutes=1))
        await ticker.run_due("nightly", now)
        count = len(await world.written())
        assert count in (1, 2)
        state = await world.state("nightly")
        # Of a scheduler whose clock was set back, and of one that is years ahead.
        for wrong in (now - timedelta(hours=1), now - timedelta(days=3650), now + timedelta(days=3650)):
            await ticker.run_due("nightly", wrong)
        last, _, following = await world.state("nightly")
        assert last is not None
        assert state[0] is not None
        assert last - state[0] <= timedelta(minutes=1)
        assert following is not None
        assert following - last == timedelta(minutes=1)
        assert len({key for _, _, key in await world.written()}) == len(await world.written())

    in_a_world(database_url, story)


def test_a_database_clock_that_was_far_ahead_silences_nobody(database_url: str) -> None:
    async def story(world: World) -> None:
        await a_job(world)
        ticker, far = world.ticker(), utc_now() + timedelta(days=3650)
        await ticker.catch_up()
        await world.last_tick_was("nightly", far)
        await ticker.catch_up()
        following = (await world.state("nightly"))[2]
        assert following is not None
        assert following <= utc_now() + timedelta(minutes=1)
        assert await world.written() == []
        last = (await world.state("nightly"))[0]
        assert last is not None
        assert last <= utc_now()

    in_a_world(database_url, story)


def test_a_kind_that_was_closed_to_users_is_not_performed_for_them(database_url: str) -> None:
    async def story(world: World) -> None:
        await a_job(world)
        await world.last_tick_was("nightly", LONG_AGO)
        closed = replace(KINDS[0], open=False)
        with mock.patch.object(world.jobs, "kind", return_value=closed):
            await world.ticker().catch_up()
        shown = await world.service().get("nightly")
        assert shown.last_outcome == "dead"
        assert "any more" in (shown.last_error or "")

    in_a_world(database_url, story)


def test_a_clock_a_little_ahead_of_the_database_is_believed(database_url: str) -> None:
    async def story(world: World) -> None:
        await a_job(world)
        async with world.database.autocommit() as tx:
            await tx.execute(b"UPDATE schedules SET cron = '* * * * * *', counted_from = now()")
        ahead = utc_now() + 2 * SECOND
        following = await world.ticker().run_due("nightly", ahead)
        assert following is not None
        assert ahead < following <= ahead + SECOND
        assert (await world.written())[-1][1]["tick"] == rfc3339(following - SECOND)

    in_a_world(database_url, story)


def test_an_event_is_one_for_each_tick_even_if_it_was_run_before(database_url: str) -> None:
    async def story(world: World) -> None:
        event = EventOfTick(type="night.fell")
        await world.service().create(
            CALLER, NewSchedule(name="nightly", cron="0 0 1 1 *", event=event, description="x")
        )
        for _ in range(2):
            # As after a restored backup: the row knows nothing of the run.
            await world.last_tick_was("nightly", LONG_AGO)
            await world.ticker().catch_up()
        async with world.database.autocommit() as tx:
            [(id, type)] = await tx.tuples(b"SELECT id, type FROM events")
        assert type == "night.fell"
        assert (await world.service().get("nightly")).last_event_id == id

    in_a_world(database_url, story)


def test_a_tick_that_cannot_be_run_says_why_and_holds_up_nobody(database_url: str) -> None:
    async def story(world: World) -> None:
        await a_job(world, event=EventOfTick(type="a.b"), job=None)
        for name in ("nightly", REPORTS.name):
            await world.last_tick_was(name, LONG_AGO)
        broken = mock.patch.object(world.outbox, "publish", side_effect=RuntimeError("a bug"))
        with capture_logs() as logs, broken:
            await world.ticker().catch_up()
        assert [kind for kind, _, _ in await world.written()] == ["reports.make"]
        assert [entry["schedule"] for entry in logs if entry["event"] == "schedule.failed"] == ["nightly"]
        shown = await world.service().get("nightly")
        assert (shown.last_outcome, shown.last_error) == ("failed", "RuntimeError: a bug")
        # The next tick fares better.
        await world.last_tick_was("nightly", LONG_AGO)
        await world.ticker().catch_up()
        assert (await world.service().get("nightly")).last_outcome == "published"

    in_a_world(database_url, story)


def test_a_type_that_became_ogels_own_is_published_no_more(database_url: str) -> None:
    async def story(world: World) -> None:
        await a_job(world, event=EventOfTick(type="Order.Due"), job=None)
        await world.last_tick_was("nightly", LONG_AGO)
        ours = ReservedTypes(lambda: ["order.due"])
        ticker = Ticker(world.database, world.jobs, world.outbox, ours, SCHEDULES)
        await ticker.run_due("nightly")
        shown = await world.service().get("nightly")
        assert shown.last_outcome == "failed"
        assert "'Order.Due' is a type of Ogel's own events" in (shown.last_error or "")
        async with world.database.transaction() as tx:
            with pytest.raises(Invalid):
                await ticker.run_now(tx, "nightly")
            assert await tx.value(b"SELECT count(*) FROM events") == 0

    in_a_world(database_url, story)


def test_while_the_database_is_away_a_tick_stays_due(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.last_tick_was(REPORTS.name, LONG_AGO)
        away = mock.patch.object(world.jobs, "enqueue", side_effect=DatabaseAway("gone"))
        with pytest.raises(DatabaseAway), away:
            await world.ticker().catch_up()
        await world.ticker().catch_up()
        assert [kind for kind, _, _ in await world.written()] == ["reports.make"]

    in_a_world(database_url, story)


def test_deleted_or_paused_while_it_is_due_it_does_not_run(database_url: str) -> None:
    async def story(world: World) -> None:
        await a_job(world)
        await a_job(world, "other")
        ticker, service = world.ticker(), world.service()
        for name in ("nightly", "other"):
            await world.last_tick_was(name, LONG_AGO)
        await service.delete(CALLER, "nightly")
        await service.change(CALLER, "other", ScheduleChange(enabled=False))
        assert await ticker.run_due("nightly") is None
        assert await ticker.run_due("other") is None
        await ticker.catch_up()
        assert await world.written() == []

    in_a_world(database_url, story)


def test_a_change_is_told_once_and_ticks_are_no_change(database_url: str) -> None:
    async def story(world: World) -> None:
        ticker = world.ticker()
        assert set(await ticker.catch_up() or ()) == {REPORTS.name, PURGE.name}
        assert await ticker.catch_up() is None
        await a_job(world)
        told = await ticker.catch_up()
        assert told is not None
        assert told["nightly"] == (await world.state("nightly"))[2]
        await world.last_tick_was("nightly", LONG_AGO)
        assert await ticker.catch_up() is None
        await world.service().pause(CALLER, "nightly")
        assert set(await ticker.catch_up() or ()) == {REPORTS.name, PURGE.name}

    in_a_world(database_url, story)


def test_there_may_be_so_many_and_no_more(database_url: str) -> None:
    async def story(world: World) -> None:
        few = ScheduleService(
            world.database,
            world.ticker(),
            world.jobs,
            AuditStore(),
            RESERVED,
            most_schedules=3,
        )

        async def make(n: int) -> bool:
            wanted = NewSchedule(name=f"n-{n}", cron="@daily", job=JobOfTick(kind="reports.make"))
            try:
                await few.create(CALLER, wanted)
            except Conflict:
                return False
            return True

        # At once, by as many connections as there are.
        assert sum(await asyncio.gather(*(make(n) for n in range(8)))) == 3

    in_a_world(database_url, story)


# --- the service ---


def test_two_schedulers_on_one_redis_make_one_job_of_a_due_tick(
    database_url: str, redis_url: str, store: redis.Redis
) -> None:
    async def story() -> None:
        async with a_world(database_url) as world, running(world, redis_url), running(world, redis_url):
            await asyncio.to_thread(entries_written, store)
            await world.last_tick_was(REPORTS.name, LONG_AGO)
            # Under their lock, or one that is just writing its entries would write over this.
            with store.lock(Entries.scheduler_lock_key, timeout=LIMIT_SECONDS, sleep=0.001):
                store.zadd(Entries.scheduled_jobs_key, {entry_id(REPORTS.name): 1})
            await world.rung.acquire()
            state = await world.state(REPORTS.name)
        async with a_world(database_url) as world:
            assert [kind for kind, _, _ in await world.written()] == [REPORTS.kind]
            assert await world.state(REPORTS.name) == state

    asyncio.run(story())


def test_schedules_run_without_redis_and_the_clock_comes_back_with_it(
    database_url: str, tmp_path: Path
) -> None:
    away = threading.Event()

    def notice(logger: Any, method: str, entry: Any) -> Any:
        if entry["event"] == "clock.redis_away":
            away.set()
        return entry

    async def story(own: EmbeddedServers, redis_url: str) -> None:
        async with a_world(database_url) as world, running(world, redis_url, look_seconds=0.05):
            with redis.Redis.from_url(redis_url) as store:
                await asyncio.to_thread(entries_written, store)
            own.stop_redis()
            await world.last_tick_was(REPORTS.name, LONG_AGO)
            await world.rung.acquire()
            assert await asyncio.to_thread(away.wait, LIMIT_SECONDS)
            own.start_redis()
            with redis.Redis.from_url(redis_url) as store:
                store.flushall()
                await asyncio.to_thread(entries_written, store)

    with EmbeddedServers.start(tmp_path / "redis", postgres=False) as own, capture_logs([notice]) as logs:
        asyncio.run(story(own, own.redis_url or ""))
    events = [entry["event"] for entry in logs if entry["event"].startswith("clock.")]
    assert events.count("clock.redis_away") == events.count("clock.recovered") == 1


# --- run now ---


def test_run_now_writes_a_job_and_an_audit_record_and_leaves_the_ticks_alone(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.ticker().catch_up()
        last, _, following = await world.state(REPORTS.name)
        started = await world.service().run(CALLER, REPORTS.name)
        assert await world.state(REPORTS.name) == (last, started.job, following)
        assert [(kind, payload["of"], key) for kind, payload, key in await world.written()] == [
            (REPORTS.kind, "all", None)
        ]
        async with world.database.autocommit() as tx:
            audited = await tx.tuples(b"SELECT action, resource_id, metadata FROM audit_logs")
        assert audited == [("schedule.run", REPORTS.name, {"job": started.job, "event": None})]

    in_a_world(database_url, story)


def test_an_unknown_schedule_is_not_run(database_url: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NotFound, match=r"no\.such"):
            await world.service().run(CALLER, "no.such")
        assert await world.written() == []

    in_a_world(database_url, story)


def test_what_cannot_be_audited_is_not_run(database_url: str) -> None:
    class NoTrail(AuditStore):
        async def record(self, tx: Transaction, *args: Any, **kwargs: Any) -> None:
            raise DatabaseAway("disk full")

    async def story(world: World) -> None:
        with pytest.raises(DatabaseAway):
            await world.service(NoTrail()).run(CALLER, REPORTS.name)
        assert await world.written() == []

    in_a_world(database_url, story)
