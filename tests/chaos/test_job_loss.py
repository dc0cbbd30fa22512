"""Jobs of every sort while their workers die at random: each runs, unique ones never twice at once, orders are kept."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import pytest

from ogel.runtime.jobs.job import LOW, URGENT, Job, NewJob
from tests.support.jobs import World, world
from tests.support.jobs_process import KIND, LEASE_SECONDS, RUNS, kind

WORKERS = 3
BATCH = 50
ORDERS, UNIQUES = 40, 20
SEED = 4


class Run(NamedTuple):
    job_id: str
    n: int
    pid: int
    began: datetime
    ended: datetime | None
    failed: bool | None


@dataclass
class Workers:
    """Killed and started anew; `deaths` is when each that was killed was certainly gone, by Postgres' clock."""

    database_url: str
    world: World
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    deaths: dict[int, datetime] = field(default_factory=dict)

    async def start(self) -> None:
        command = [sys.executable, "-m", "tests.support.jobs_process", self.database_url]
        process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        self.running.append(process)
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"

    async def kill_one(self, chance: random.Random) -> None:
        process = self.running.pop(chance.randrange(len(self.running)))
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, 10)
        async with self.world.database.session() as session:
            self.deaths[process.pid] = await session.value(b"SELECT clock_timestamp()")
        process.stdout and process.stdout.close()

    async def end(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            assert await asyncio.to_thread(process.wait, 20) == 0
            process.stdout and process.stdout.close()


def test_a_thousand_mixed_jobs_survive_their_workers(database_url: str) -> None:
    asyncio.run(kill_and_look(database_url, jobs=1_000, seconds=5.0))


@pytest.mark.long
@pytest.mark.timeout(240)
def test_ten_thousand_mixed_jobs_survive_their_workers(database_url: str) -> None:
    asyncio.run(kill_and_look(database_url, jobs=10_000, seconds=45.0))


async def kill_and_look(database_url: str, jobs: int, seconds: float) -> None:
    chance = random.Random(SEED)
    mixed = [mixed_job(n, chance) for n in range(jobs)]
    async with world(database_url, kind(perform_elsewhere)) as w:
        async with w.database.session() as session:
            await session.execute(RUNS.encode())
        workers = Workers(database_url, w)
        await asyncio.gather(*(workers.start() for _ in range(WORKERS)))
        written: set[str] = set()
        over = asyncio.Event()
        killing = asyncio.create_task(kill_until(over, workers, chance))
        for start in range(0, jobs, BATCH):
            written.update(await w.enqueue(*mixed[start : start + BATCH]))
            await asyncio.sleep(seconds * BATCH / jobs)
        over.set()
        await killing
        await w.until_empty(30 + 2 * LEASE_SECONDS)
        await workers.end()
        async with w.database.session() as session:
            rows = await session.tuples(
                b"SELECT job_id, n, pid, began, ended, failed FROM trial_runs ORDER BY began, id"
            )
    runs = [Run(*row) for row in rows]
    print(f"\n{len(written)} jobs in {len(runs)} runs; {len(workers.deaths)} workers killed")
    assert len(workers.deaths) >= 2
    by_job = {job.id: job for job in mixed if job.id in written}
    assert_each_succeeded(by_job, runs)
    assert_never_twice_at_once(by_job, runs, workers.deaths)
    assert_in_order(by_job, runs)


async def perform_elsewhere(job: Job, _: object) -> None:
    raise AssertionError("this process only writes jobs")


async def kill_until(over: asyncio.Event, workers: Workers, chance: random.Random) -> None:
    while not over.is_set():
        await asyncio.sleep(chance.uniform(0.3, 1.2))
        await workers.kill_one(chance)
        await workers.start()


def mixed_job(n: int, chance: random.Random) -> NewJob:
    """A third each: of an order, unique, and anything else; some fail at first, some are late, some urgent."""
    payload = {"n": n, "seconds": chance.choice([0.0, 0.005, 0.05]), "fails": int(chance.random() < 0.05)}
    if n % 3 == 0:
        return NewJob(KIND, payload, key="ordered", order_key=f"order{n % ORDERS}")
    if n % 3 == 1:
        return NewJob(KIND, payload, key=f"key{n % 7}", dedupe_key=f"unique{n % UNIQUES}")
    return NewJob(KIND, payload, key=f"key{n % 7}", lane=chance.choice([URGENT, 0, LOW]))


def assert_each_succeeded(jobs: dict[str, NewJob], runs: list[Run]) -> None:
    succeeded = {run.job_id for run in runs if run.failed is False}
    assert succeeded == set(jobs)


def assert_never_twice_at_once(jobs: dict[str, NewJob], runs: list[Run], deaths: dict[int, datetime]) -> None:
    """Runs of one unique job, or of several with its key one after the other, do not overlap."""
    by_key: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if key := jobs[run.job_id].dedupe_key:
            by_key[key].append(run)
    for key, mine in by_key.items():
        for before, after in pairwise(mine):
            # One that its death cut short ran until then at most.
            end = before.ended or deaths[before.pid]
            assert end <= after.began, f"{key}: {before} and {after} overlap"


def assert_in_order(jobs: dict[str, NewJob], runs: list[Run]) -> None:
    """Of an order nothing begins before what was written earlier has succeeded."""
    by_order: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if order := jobs[run.job_id].order_key:
            by_order[order].append(run)
    assert len(by_order) > 1
    for order, mine in by_order.items():
        begun = [run.n for run in mine]
        assert begun == sorted(begun), f"{order} ran {begun}"
