"""The clock on a real Redis: entries that come back, one teller at a time, and an end in time."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from ogel.adapters.rq_clock import LOCK_SECONDS, Entries, RqClock
from ogel.kernel.clock import utc_now
from ogel.runtime.schedule.clock import NotHandedOver
from ogel.runtime.schedule.schedule import Schedule

LIMIT_SECONDS = 20
REPORTS = Schedule("reports.yearly", "0 0 1 1 *", kind="reports.make", description="Makes a report.")
PURGE = Schedule("retention.purge", "30 3 1 1 *", kind="retention.purge", description="Deletes what is old.")
SCHEDULES = [REPORTS, PURGE]
ENTRY = "ogel-schedule-reports-yearly"


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


@contextmanager
def ticking(redis_url: str) -> Iterator[None]:
    clock = RqClock(redis_url, SCHEDULES, interval_seconds=0.02)
    clock.start(refuse)
    try:
        yield
    finally:
        asyncio.run(clock.stop())
        assert "rq-clock" not in {thread.name for thread in threading.enumerate()}


def refuse(name: str, tick: datetime) -> None:
    raise NotHandedOver(f"{name} was not expected to be due")


def due_entry(store: redis.Redis, at: float = 1.0) -> None:
    store.zadd(Entries.scheduled_jobs_key, {ENTRY: at})


def entry_time(store: redis.Redis) -> datetime:
    score: Any = store.zscore(Entries.scheduled_jobs_key, ENTRY)
    return datetime.fromtimestamp(score, UTC)


def written(store: redis.Redis) -> dict[str, datetime]:
    """Waits for each entry and takes it away as it appears, and the next call what is written anew."""
    entries: dict[str, datetime] = {}
    while len(entries) < len(SCHEDULES):
        popped: Any = store.bzpopmin(Entries.scheduled_jobs_key, LIMIT_SECONDS)
        assert popped is not None, "entries were not written"
        entries[popped[1].decode()] = datetime.fromtimestamp(popped[2], UTC)
    return entries


def test_entries_stand_at_their_next_tick_and_are_seen_by_rq_scheduler(store: redis.Redis) -> None:
    entries = Entries(store, SCHEDULES)
    entries.look(refuse)
    jobs = {job.id: job.description for job in Entries(store, []).get_jobs()}
    assert jobs[ENTRY] == "reports.yearly (0 0 1 1 *): Makes a report."
    assert set(jobs) == {ENTRY, "ogel-schedule-retention-purge"}
    assert entry_time(store) == REPORTS.next_tick(utc_now())
    assert store.keys("rq:scheduler*") == []


def test_a_due_entry_is_told_by_one_scheduler_and_moves_on(store: redis.Redis) -> None:
    told: list[tuple[str, datetime]] = []
    schedulers = [Entries(store, SCHEDULES) for _ in range(3)]
    for entries in schedulers:
        entries.look(refuse)
    due_entry(store)
    for entries in schedulers:
        entries.look(lambda name, tick: told.append((name, tick)))
    assert told == [(REPORTS.name, REPORTS.last_tick(utc_now()))]
    assert entry_time(store) == REPORTS.next_tick(utc_now())


def test_a_tick_not_taken_is_offered_again(store: redis.Redis) -> None:
    entries, told = Entries(store, SCHEDULES), []
    entries.look(refuse)
    due_entry(store)
    with pytest.raises(NotHandedOver):
        entries.look(refuse)
    entries.look(lambda name, tick: told.append(name))
    assert told == [REPORTS.name]


def test_a_dead_holder_keeps_the_lock_for_seconds_only(store: redis.Redis) -> None:
    entries, told, lives = Entries(store, SCHEDULES), [], []
    entries.look(refuse)
    due_entry(store)
    store.set(Entries.scheduler_lock_key, "of a scheduler that was killed", px=60_000)
    entries.look(refuse)
    store.delete(Entries.scheduler_lock_key)

    def due(name: str, tick: datetime) -> None:
        told.append(name)
        lives.append(store.pttl(Entries.scheduler_lock_key))

    entries.look(due)
    assert told == [REPORTS.name]
    assert 0 < lives[0] <= LOCK_SECONDS * 1000 <= 15_000
    assert not store.exists(Entries.scheduler_lock_key)


def test_a_changed_cron_moves_the_entry(store: redis.Redis) -> None:
    Entries(store, SCHEDULES).look(refuse)
    later = Schedule(REPORTS.name, "0 0 1 2 *", kind=REPORTS.kind, description="Makes a report.")
    Entries(store, [later]).look(refuse)
    assert entry_time(store) == later.next_tick(utc_now())


def test_the_entry_of_a_schedule_that_is_no_more_goes_after_an_hour(store: redis.Redis) -> None:
    Entries(store, SCHEDULES).look(refuse)
    newer = Entries(store, [PURGE])
    due_entry(store, (utc_now() - timedelta(minutes=10)).timestamp())
    newer.look(refuse)
    assert ENTRY in newer
    due_entry(store, (utc_now() - timedelta(hours=2)).timestamp())
    newer.look(refuse)
    assert ENTRY not in newer
    assert not store.exists(f"rq:job:{ENTRY}")


def test_an_entry_that_lost_its_job_is_written_anew(store: redis.Redis) -> None:
    entries = Entries(store, SCHEDULES)
    entries.look(refuse)
    store.delete(f"rq:job:{ENTRY}")
    due_entry(store)
    entries.look(refuse)
    assert entry_time(store) > utc_now()
    assert store.exists(f"rq:job:{ENTRY}")


def test_a_flushed_redis_gets_its_entries_back(redis_url: str, store: redis.Redis) -> None:
    with ticking(redis_url):
        written(store)
        store.flushall()
        assert written(store)[ENTRY] == REPORTS.next_tick(utc_now())


def test_a_clock_stops_in_time_while_redis_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.settimeout(LIMIT_SECONDS)
        with ticking(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"):
            asked, _ = deaf.accept()
        asked.close()
