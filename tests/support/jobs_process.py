"""
A worker of its own process for tests that kill it: performs trial jobs, and writes down when each run begins and ends.

    python -m tests.support.jobs_process DATABASE_URL
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from prometheus_client import CollectorRegistry

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import DONE, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.log.setup import configure_logging
from tests.support.jobs import QUEUE

KIND = "trial.do"
# What a dead worker held is soon another's; what one that lives holds stays its own while a busy disk takes its time.
LEASE_SECONDS = 3.0
# The lease of a job counts from its claim, a run from its own first statement.
RUNS = """
CREATE TABLE IF NOT EXISTS trial_runs (
  id bigint GENERATED ALWAYS AS IDENTITY, job_id text, n int, pid int,
  began timestamptz DEFAULT clock_timestamp(), ended timestamptz, failed boolean
)
"""
_BEGIN = b"INSERT INTO trial_runs (job_id, n, pid) VALUES (%(job)s, %(n)s, %(pid)s) RETURNING id"
_END = b"UPDATE trial_runs SET ended = clock_timestamp(), failed = %(failed)s WHERE id = %(id)s"


def kind(perform: Any) -> JobKind:
    """The payload is `{"n", "seconds", "fails"}`: how long a run takes, and how many of the first ones fail."""
    return JobKind(KIND, QUEUE, perform, max_attempts=1_000, backoff=RetryPolicy.doubling(0.05, 0.2))


async def work(database_url: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with (
        make_pool(database_url, PoolOptions(2, 4, 30, 10, 10)) as jobs,
        make_pool(database_url, PoolOptions(2, 4, 30, 10, 10)) as notes,
    ):
        noted = Database(notes, lambda _: None)

        async def perform(job: Job, _: Any) -> Outcome:
            fails = job.attempts <= job.payload["fails"]
            begin = {"job": job.id, "n": job.payload["n"], "pid": os.getpid()}
            async with noted.autocommit() as tx:
                id = await tx.value(_BEGIN, begin)
            await asyncio.sleep(job.payload["seconds"])
            async with noted.autocommit() as tx:
                await tx.execute(_END, {"id": id, "failed": fails})
            return Outcome("retry", "as it was told") if fails else DONE

        options = RunnerOptions(
            in_flight=60, lease_seconds=LEASE_SECONDS, busy_poll_seconds=0.1, idle_poll_seconds=0.1
        )
        database = Database(jobs, lambda _: None)
        runner = JobRunner(database, QUEUE, [kind(perform)], options, JobMetrics(CollectorRegistry()))
        print("ready", flush=True)
        await runner.run(stop, drain_seconds=10.0)


if __name__ == "__main__":
    configure_logging("error", sys.stderr)
    asyncio.run(work(sys.argv[1]))
