"""Schedules on a real Postgres and Redis: one job per tick, whoever counts the time, and the API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from structlog.testing import capture_logs

from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.rq_clock import Entries, RqClock, entry_id
from ogel.features.audit.store import AuditStore
from ogel.features.schedules.feature import schedules_feature
from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.errors import NotFound
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database import DatabaseAway, Session
from ogel.runtime.http.route import Call
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.service import SchedulerService
from ogel.runtime.schedule.ticks import Ticker
from tests.support.schedules import (
    LIMIT_SECONDS,
    LONG_AGO,
    PURGE,
    REPORTS,
    SCHEDULES,
    World,
    a_world,
    in_a_world,
)

CALLER = Caller(SYSTEM, "req_1", "127.0.0.1", "tests")


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


@asynccontextmanager
async def running(world: World, redis_url: str, catch_up_seconds: float = 15.0) -> AsyncIterator[None]:
    stop = asyncio.Event()
    clock = RqClock(redis_url, SCHEDULES, interval_seconds=0.02)
    service = asyncio.create_task(SchedulerService(world.ticker(), clock, catch_up_seconds).run(stop))
    try:
        yield
    finally:
        stop.set()
        await service


def entries_written(store: redis.Redis) -> None:
    """Waits for each entry and takes it away as it appears, and the next call what is written anew."""
    for _ in SCHEDULES:
        assert store.bzpopmin(Entries.scheduled_jobs_key, LIMIT_SECONDS), "entries were not written"


# --- the ticker ---


def test_three_schedulers_racing_over_fifty_ticks_make_fifty_jobs(database_url: str) -> None:
    async def one(ticks: list[datetime]) -> int:
        async with a_world(database_url) as world:
            ticker = world.ticker()
            return sum([await ticker.run_due(REPORTS.name, tick) for tick in ticks])

    async def story() -> None:
        ticks = [LONG_AGO + timedelta(minutes=minutes) for minutes in range(50)]
        wins = await asyncio.gather(one(ticks), one(ticks), one(ticks))
        assert sum(wins) == 50
        async with a_world(database_url) as world:
            written = await world.written()
            assert [key for _, _, key in written] == [f"{REPORTS.name}:{rfc3339(tick)}" for tick in ticks]
            assert written[0][1] == {"of": "all", "tick": rfc3339(ticks[0])}
            assert (await world.states())[REPORTS.name][0] == ticks[-1]

    asyncio.run(story())


def test_missed_ticks_run_once_late_and_say_so(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.last_tick_was(REPORTS, LONG_AGO)
        with capture_logs() as logs:
            await world.ticker().catch_up()
            await world.ticker().catch_up()
        [(kind, payload, _)] = await world.written()
        assert (kind, payload["tick"]) == ("reports.make", rfc3339(REPORTS.last_tick(utc_now())))
        late = [entry for entry in logs if entry["event"] == "schedule.late"]
        assert [(entry["schedule"], entry["log_level"]) for entry in late] == [(REPORTS.name, "warning")]
        assert (await world.states())[REPORTS.name][1] is not None

    in_a_world(database_url, story)


def test_a_new_schedule_is_registered_without_running(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.ticker().catch_up()
        await world.ticker().catch_up()
        assert await world.written() == []
        assert (await world.states())[PURGE.name] == (PURGE.last_tick(utc_now()), None)

    in_a_world(database_url, story)


def test_an_older_tick_and_one_from_a_wrong_clock_are_refused(database_url: str) -> None:
    async def story(world: World) -> None:
        ticker, last = world.ticker(), REPORTS.last_tick(utc_now())
        assert await ticker.run_due(REPORTS.name, last)
        assert not await ticker.run_due(REPORTS.name, last)
        assert not await ticker.run_due(REPORTS.name, last - timedelta(hours=1))
        assert not await ticker.run_due(REPORTS.name, last + timedelta(days=3650))
        assert not await ticker.run_due(PURGE.name, utc_now() + timedelta(hours=1))
        assert len(await world.written()) == 1

    in_a_world(database_url, story)


def test_one_schedule_that_cannot_be_enqueued_does_not_hold_up_the_others(database_url: str) -> None:
    async def story(world: World) -> None:
        stray = Schedule("a.stray", "0 0 1 1 *", kind="no.such.kind", description="Nobody performs this.")
        for schedule in (stray, REPORTS):
            await world.last_tick_was(schedule, LONG_AGO)
        with capture_logs() as logs:
            await Ticker(world.database, world.jobs, [stray, REPORTS]).catch_up()
        assert [kind for kind, _, _ in await world.written()] == ["reports.make"]
        assert [entry["schedule"] for entry in logs if entry["event"] == "schedule.failed"] == ["a.stray"]

    in_a_world(database_url, story)


# --- the service ---


def test_two_schedulers_on_one_redis_make_one_job_of_a_due_tick(
    database_url: str, redis_url: str, store: redis.Redis
) -> None:
    async def story() -> None:
        async with a_world(database_url) as world, running(world, redis_url), running(world, redis_url):
            await asyncio.to_thread(entries_written, store)
            await world.last_tick_was(REPORTS, LONG_AGO)
            # Under their lock, or one that is just writing its entries would write over this.
            with store.lock(Entries.scheduler_lock_key, timeout=LIMIT_SECONDS, sleep=0.001):
                store.zadd(Entries.scheduled_jobs_key, {entry_id(REPORTS): 1})
            await world.rung.acquire()
            last, job = (await world.states())[REPORTS.name]
        async with a_world(database_url) as world:
            assert [kind for kind, _, _ in await world.written()] == [REPORTS.kind]
            assert (await world.states())[REPORTS.name] == (last, job)

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
        async with a_world(database_url) as world, running(world, redis_url, catch_up_seconds=0.05):
            with redis.Redis.from_url(redis_url) as store:
                await asyncio.to_thread(entries_written, store)
            own.stop_redis()
            await world.last_tick_was(REPORTS, LONG_AGO)
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


# --- the API ---


def test_a_list_tells_where_each_schedule_stands(database_url: str) -> None:
    async def story() -> None:
        async with a_world(database_url) as world:
            await world.ticker().run_due(REPORTS.name, REPORTS.last_tick(utc_now()))
            (last, job), now = (await world.states())[REPORTS.name], utc_now()
            answer = await call(world, "GET")
        assert answer["next"] is None
        assert [item["name"] for item in answer["items"]] == [REPORTS.name, PURGE.name]
        assert answer["items"][1]["last_tick_at"] is None
        assert last is not None
        assert answer["items"][0] == {
            "name": REPORTS.name,
            "cron": REPORTS.cron,
            "description": REPORTS.description,
            "kind": REPORTS.kind,
            "last_tick_at": f"{last.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "next_tick_at": f"{REPORTS.next_tick(now):%Y-%m-%dT%H:%M:%SZ}",
            "last_job_id": job,
        }

    asyncio.run(story())


def test_run_now_writes_a_job_and_an_audit_record_and_leaves_the_ticks_alone(database_url: str) -> None:
    async def story(world: World) -> None:
        await world.ticker().catch_up()
        before = (await world.states())[REPORTS.name]
        job = (await call(world, "POST", REPORTS.name))["job"]
        assert (await world.states())[REPORTS.name] == (before[0], job)
        assert [(kind, payload["of"], key) for kind, payload, key in await world.written()] == [
            (REPORTS.kind, "all", None)
        ]
        async with world.database.session() as session:
            audited = await session.tuples(b"SELECT action, resource_id, metadata FROM audit_logs")
        assert audited == [("schedule.run", REPORTS.name, {"job": job})]

    in_a_world(database_url, story)


def test_an_unknown_schedule_is_not_run(database_url: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NotFound, match=r"no\.such"):
            await call(world, "POST", "no.such")
        assert await world.written() == []

    in_a_world(database_url, story)


def test_what_cannot_be_audited_is_not_run(database_url: str) -> None:
    class NoTrail(AuditStore):
        async def record(self, tx: Session, *args: Any, **kwargs: Any) -> None:
            raise DatabaseAway("disk full")

    async def story(world: World) -> None:
        with pytest.raises(DatabaseAway):
            await call(world, "POST", REPORTS.name, NoTrail())
        assert await world.written() == []

    in_a_world(database_url, story)


async def call(world: World, method: str, name: str = "", audit: AuditStore | None = None) -> Any:
    """What the shell does with a request, from the route on."""
    feature = schedules_feature(world.database, world.jobs, SCHEDULES, audit or AuditStore())
    (route,) = [route for route in feature.routes if route.method == method]
    value = await route.handler(Call(CALLER, {"name": name}, None, None))
    assert isinstance(value, msgspec.Struct)
    return msgspec.json.decode(msgspec.json.encode(value))
