"""
A scheduler of its own process for tests that kill it: schedules that tick every second enqueue trial jobs.

    python -m tests.support.ticks_process DATABASE_URL REDIS_URL

Its clock stands in one of two databases of that Redis. Schedulers with different ones see nothing of each other, and
tell the same ticks in the same moments.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from urllib.parse import urlsplit

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.adapters.rq_clock import RqClock
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.log.setup import configure_logging
from ogel.runtime.outbox import Outbox
from ogel.runtime.reserved import ReservedTypes
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.service import SchedulerService
from ogel.runtime.schedule.ticks import Ticker
from tests.support.jobs_process import KIND, kind

LOOK_SECONDS = 0.1


def trial_schedule(n: int) -> Schedule:
    """The payloads differ as those of other trial jobs do; each says whose it is, and gets its tick."""
    name = f"trial.every_second_{n}"
    payload = {"of": name, "n": n, "seconds": 0.005 * n, "fails": n % 2}
    return Schedule(name, "* * * * * *", kind=KIND, payload=payload)


SCHEDULES = [trial_schedule(n) for n in range(5)]


async def count_time(database_url: str, redis_url: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with make_pool(database_url, PoolOptions(1, 4, 30, 10, 10)) as pool:
        jobs = JobQueue()
        jobs.know([kind(only_enqueued_here)])
        ticker = Ticker(Database(pool, lambda _: None), jobs, Outbox(jobs), ReservedTypes(tuple), SCHEDULES)
        print("ready", flush=True)
        clock = RqClock(urlsplit(redis_url)._replace(path=f"/{os.getpid() % 2}").geturl(), LOOK_SECONDS)
        await SchedulerService(ticker, clock, LOOK_SECONDS).run(stop)


async def only_enqueued_here(job: Job, _: object) -> None:
    raise AssertionError("no worker runs in this process")


if __name__ == "__main__":
    configure_logging("error", sys.stderr)
    asyncio.run(count_time(*sys.argv[1:]))
