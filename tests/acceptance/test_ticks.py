"""Three schedulers die and come back, and Redis forgets everything: every tick causes its job or event exactly once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import redis

from tests.acceptance.conftest import StartSystem
from tests.support.contract import all_pages
from tests.support.process import Client
from tests.support.system import System

SCHEDULERS = 3
SEED = 9
# In turns of a second or so. Otherwise one of the schedulers is left alone.
ALL_DIE_EACH, FLUSH_EACH = 15, 3
SECOND = timedelta(seconds=1)
# A scheduler that is started needs some of these; the ticks meanwhile are made up for.
MARGIN_SECONDS = 30.0


def test_twenty_ticks(start_system: StartSystem, redis_url: str) -> None:
    kill_and_count(start_system, redis_url, schedules=5, ticks_of_each=4)


@pytest.mark.long
@pytest.mark.timeout(120)
def test_two_hundred_ticks(start_system: StartSystem, redis_url: str) -> None:
    kill_and_count(start_system, redis_url, schedules=5, ticks_of_each=40)


def kill_and_count(start_system: StartSystem, redis_url: str, schedules: int, ticks_of_each: int) -> None:
    # Nobody performs the jobs, so that all of them stay to be counted.
    system = start_system(schedulers=SCHEDULERS, fast_clock=True)
    first_ticks = {name: make(system.api, name) for name in (f"fast-{n}" for n in range(schedules))}

    def enough() -> bool:
        found = system.api.ok("GET", "/api/schedules?limit=100")["items"]
        last = {each["name"]: each["last_tick_at"] for each in found if not each["built_in"]}
        return all(
            last[name] and len(seconds(first, moment(last[name]))) >= ticks_of_each
            for name, first in first_ticks.items()
        )

    killed, flushed = disturb_until(system, redis_url, enough, ticks_of_each + MARGIN_SECONDS)
    wanted = {}
    for name, first in first_ticks.items():
        paused = system.api.ok("POST", f"/api/schedules/{name}/pause")
        wanted[name] = seconds(first, moment(paused["last_tick_at"]))
    print(f"\nkilled: {dict(Counter(killed))}; {flushed} flushes, {sum(map(len, wanted.values()))} ticks")
    jobs = all_pages(system.api, "/api/jobs", 100, queue="cleanup")
    for name in [name for name in wanted if name != "fast-0"]:
        ticks = sorted(moment(job["payload"]["tick"]) for job in jobs if job["payload"].get("of") == name)
        assert ticks == wanted[name]
    events = all_pages(system.api, "/api/events", 100, type="tick.fast")
    assert len(events) == len(wanted["fast-0"])


def make(api: Client, name: str) -> datetime:
    """The first publishes, the others do a job. Returns the first tick: a schedule counts from when it was made."""
    job: Any = {"job": {"kind": "cleanup.purge", "payload": {"of": name}}}
    causes = {"event": {"type": "tick.fast"}} if name == "fast-0" else job
    made = api.ok("POST", "/api/schedules", {"name": name, "cron": "* * * * * *", **causes})
    return moment(made["created_at"]).replace(microsecond=0) + SECOND


def disturb_until(
    system: System, redis_url: str, enough: Callable[[], bool], seconds: float
) -> tuple[list[str], int]:
    """Who died, and how often Redis was flushed."""
    choose, deadline = random.Random(SEED), time.monotonic() + seconds
    names = [f"scheduler-{n + 1}" for n in range(SCHEDULERS)]
    killed: list[str] = []
    flushed = 0
    starting: dict[str, Future[None]] = {}
    with redis.Redis.from_url(redis_url) as store, ThreadPoolExecutor(SCHEDULERS) as pool:
        for turn in count():
            if enough():
                break
            assert time.monotonic() < deadline, f"too few ticks; killed {killed}"
            for name in [name for name, start in starting.items() if start.done()]:
                starting.pop(name).result()
            up = [name for name in names if name not in starting]
            doomed = up if turn % ALL_DIE_EACH == 1 else choose.sample(up, k=int(len(up) > 1))
            for name in doomed:
                system.kill(name)
                killed.append(name)
                starting[name] = pool.submit(system.restart, name)
            if turn % FLUSH_EACH == 0:
                store.flushall()
                flushed += 1
            time.sleep(choose.uniform(0.2, 1.5))
        for start in starting.values():
            start.result(seconds)
    return killed, flushed


def seconds(first: datetime, last: datetime) -> list[datetime]:
    """Every second from the first to the last, both included."""
    return [first + n * SECOND for n in range(int((last - first) / SECOND) + 1)]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
