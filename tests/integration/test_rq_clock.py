"""The clock on a real Redis: entries that come back, one teller at a time, and an end in time."""

from __future__ import annotations

import asyncio
import pickle
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from ogel.adapters.rq_clock import LOCK_SECONDS, Entries, RqClock, entry_id
from ogel.kernel.clock import utc_now
from ogel.runtime.schedule.clock import NotHandedOver
from tests.support.redis_attack import Payload

LIMIT_SECONDS = 20
REPORTS, PURGE, NIGHTLY = "reports.yearly", "retention.purge", "nightly-report"
LATER = utc_now().replace(microsecond=0) + timedelta(days=100)
TIMES = {REPORTS: LATER, PURGE: LATER}
ENTRY = "ogel-schedule-reports-yearly"


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


@contextmanager
def ticking(redis_url: str) -> Iterator[None]:
    clock = RqClock(redis_url, interval_seconds=0.02)
    clock.expect(TIMES)
    clock.start(refuse)
    try:
        yield
    finally:
        asyncio.run(clock.stop())
        assert "rq-clock" not in {thread.name for thread in threading.enumerate()}


def scheduler(store: redis.Redis, times: Mapping[str, datetime] = TIMES) -> Entries:
    entries = Entries(store)
    entries.expect(times)
    return entries


def refuse(name: str, at: datetime) -> datetime:
    raise NotHandedOver(f"{name} was not expected to be due")


def due_entry(store: redis.Redis, at: float = 1.0, id: str = ENTRY) -> None:
    store.zadd(Entries.scheduled_jobs_key, {id: at})


def entry_time(store: redis.Redis, id: str = ENTRY) -> datetime:
    score: Any = store.zscore(Entries.scheduled_jobs_key, id)
    return datetime.fromtimestamp(score, UTC)


def written(store: redis.Redis) -> dict[str, datetime]:
    """Waits for each entry and takes it away as it appears, and the next call what is written anew."""
    entries: dict[str, datetime] = {}
    while len(entries) < len(TIMES):
        popped: Any = store.bzpopmin(Entries.scheduled_jobs_key, LIMIT_SECONDS)
        assert popped is not None, "entries were not written"
        entries[popped[1].decode()] = datetime.fromtimestamp(popped[2], UTC)
    return entries


def test_entries_stand_at_their_next_tick_and_are_seen_by_rq_scheduler(store: redis.Redis) -> None:
    scheduler(store, {**TIMES, NIGHTLY: LATER}).look(refuse)
    jobs = {job.id: job.description for job in Entries(store).get_jobs()}
    assert jobs == {
        ENTRY: REPORTS,
        "ogel-schedule-retention-purge": PURGE,
        "ogel-user-schedule-nightly-report": NIGHTLY,
    }
    assert entry_time(store) == LATER
    assert store.keys("rq:scheduler*") == []


def test_no_two_names_are_one_entry() -> None:
    assert len({entry_id(name) for name in ("a.b", "a-b", "ab", "a_b")}) == 4


def test_a_due_entry_is_told_by_one_scheduler_and_moves_on(store: redis.Redis) -> None:
    told: list[str] = []
    schedulers = [scheduler(store) for _ in range(3)]
    for entries in schedulers:
        entries.look(refuse)
    due_entry(store)

    def due(name: str, at: datetime) -> datetime:
        assert abs(at - utc_now()) < timedelta(seconds=LIMIT_SECONDS)
        told.append(name)
        return LATER + timedelta(days=1)

    for entries in schedulers:
        entries.look(due)
    assert told == [REPORTS]
    assert entry_time(store) == LATER + timedelta(days=1)


def test_a_tick_not_taken_is_offered_again(store: redis.Redis) -> None:
    entries, told = scheduler(store), []
    entries.look(refuse)
    due_entry(store)
    with pytest.raises(NotHandedOver):
        entries.look(refuse)

    def due(name: str, at: datetime) -> datetime:
        told.append(name)
        return LATER

    entries.look(due)
    assert told == [REPORTS]


def test_a_dead_holder_keeps_the_lock_for_seconds_only(store: redis.Redis) -> None:
    entries, told, lives = scheduler(store), [], []
    entries.look(refuse)
    due_entry(store)
    store.set(Entries.scheduler_lock_key, "of a scheduler that was killed", px=60_000)
    entries.look(refuse)
    store.delete(Entries.scheduler_lock_key)

    def due(name: str, at: datetime) -> datetime:
        told.append(name)
        lives.append(store.pttl(Entries.scheduler_lock_key))
        return LATER

    entries.look(due)
    assert told == [REPORTS]
    assert 0 < lives[0] <= LOCK_SECONDS * 1000 <= 15_000
    assert not store.exists(Entries.scheduler_lock_key)


def test_a_changed_time_moves_the_entry_and_an_unchanged_one_leaves_it(store: redis.Redis) -> None:
    entries = scheduler(store)
    entries.look(refuse)
    moved = (utc_now() + timedelta(days=7)).timestamp()
    due_entry(store, moved)
    entries.expect({**TIMES, NIGHTLY: LATER})
    entries.look(refuse)
    assert entry_time(store) == datetime.fromtimestamp(moved, UTC)
    sooner = LATER - timedelta(days=50)
    entries.expect({REPORTS: sooner})
    entries.look(refuse)
    assert entry_time(store) == sooner


def test_the_entry_of_a_schedule_that_is_over_goes(store: redis.Redis) -> None:
    entries = scheduler(store, {**TIMES, NIGHTLY: LATER})
    entries.look(refuse)
    id = entry_id(NIGHTLY)
    # It is due, but was deleted; of that we hear a moment later.
    due_entry(store, id=id)
    entries.look(lambda name, at: None)
    entries.expect(TIMES)
    store.zadd(Entries.scheduled_jobs_key, {id: LATER.timestamp()})
    entries.look(refuse)
    assert id not in entries
    assert not store.exists(f"rq:job:{id}")
    # One that was deleted while no scheduler ran.
    scheduler(store, {**TIMES, NIGHTLY: LATER}).look(refuse)
    due_entry(store, id=id)
    entries.look(refuse)
    assert id not in entries
    assert ENTRY in entries


def test_the_entry_of_a_declared_schedule_that_is_no_more_goes_after_an_hour(store: redis.Redis) -> None:
    scheduler(store).look(refuse)
    newer = scheduler(store, {PURGE: LATER})
    due_entry(store, (utc_now() - timedelta(minutes=10)).timestamp())
    newer.look(refuse)
    assert ENTRY in newer
    due_entry(store, (utc_now() - timedelta(hours=2)).timestamp())
    newer.look(refuse)
    assert ENTRY not in newer
    assert not store.exists(f"rq:job:{ENTRY}")


def test_an_entry_that_lost_its_job_is_written_anew(store: redis.Redis) -> None:
    entries = scheduler(store)
    entries.look(refuse)
    store.delete(f"rq:job:{ENTRY}")
    due_entry(store)
    entries.look(refuse)
    assert entry_time(store) > utc_now()
    assert store.exists(f"rq:job:{ENTRY}")


def test_what_others_wrote_is_neither_believed_nor_in_the_way(store: redis.Redis, tmp_path: Path) -> None:
    entries, told = scheduler(store), []
    entries.look(refuse)
    canary = tmp_path / "canary"
    planted = {"data": pickle.dumps(Payload(canary)), "meta": pickle.dumps(Payload(canary)), "status": "odd"}
    store.hset(f"rq:job:{ENTRY}", mapping=planted)
    store.hset("rq:job:planted", mapping=planted)
    foreign = ["planted", b"\xff", "ogel-schedule-\xe9", ""]
    store.zadd(Entries.scheduled_jobs_key, {ENTRY: -5, **dict.fromkeys(foreign, 1)})
    store.set(Entries.scheduler_lock_key, b"\x80 for ever")

    def due(name: str, at: datetime) -> datetime:
        told.append(name)
        return LATER

    entries.look(due)
    entries.look(due)
    assert told == [REPORTS]
    assert store.zcard(Entries.scheduled_jobs_key) == len(TIMES)
    assert not canary.exists()


def test_a_flushed_redis_gets_its_entries_back(redis_url: str, store: redis.Redis) -> None:
    with ticking(redis_url):
        written(store)
        store.flushall()
        assert written(store)[ENTRY] == LATER


def test_a_clock_stops_in_time_while_redis_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.settimeout(LIMIT_SECONDS)
        with ticking(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"):
            asked, _ = deaf.accept()
        asked.close()
