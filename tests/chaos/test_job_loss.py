"""
Jobs of every sort, ticks' jobs among them, while workers and schedulers die at random: each runs and none is lost,
each tick causes one, unique ones never run twice at once, orders are kept.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import NamedTuple, Self

import pytest
from redis.asyncio import Redis

from ogel.kernel.clock import rfc3339
from ogel.runtime.jobs.job import LOW, URGENT, Job, NewJob
from tests.support.forking import Forked
from tests.support.jobs import World, world
from tests.support.jobs_process import KIND, RUNS, kind
from tests.support.ticks_process import SCHEDULES

WORKERS, SCHEDULERS = 3, 3
# Of its turns. In the others one of the sort dies.
LEAST_TURNS, ALL_DIE_EACH = 2, 5
BATCH = 50
# So few that several of each wait for one that runs, has failed or was cut short.
ORDERS, UNIQUES = 29, 20
SECOND = timedelta(seconds=1)
# A scheduler that was killed leaves its tick to another, after a grace; one that is started needs its time, too.
CATCH_UP_SECONDS = 30.0
# Of an order, one after the other: what the deaths held up takes its time on a busy machine.
DRAINED_SECONDS = 60.0
# Every job that is written, by whomever, and when each schedule began to count: triggers see what the processes that
# die cannot tell.
WRITTEN = """
CREATE TABLE trial_written (job_id text, schedule text, tick text);
CREATE FUNCTION trial_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO trial_written VALUES (NEW.id, NEW.payload ->> 'of', NEW.payload ->> 'tick');
  RETURN NULL;
END $$;
CREATE TRIGGER trial_note AFTER INSERT ON job_queue FOR EACH ROW EXECUTE FUNCTION trial_note();
CREATE TABLE trial_registered (schedule text, counted_from timestamptz);
CREATE FUNCTION trial_register() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO trial_registered VALUES (NEW.name, NEW.counted_from);
  RETURN NULL;
END $$;
CREATE TRIGGER trial_register AFTER INSERT ON schedules FOR EACH ROW EXECUTE FUNCTION trial_register();
"""


class Run(NamedTuple):
    job_id: str
    n: int
    pid: int
    began: datetime
    ended: datetime | None
    failed: bool | None


class Written(NamedTuple):
    """A job's row as it was inserted; of a tick's job, whose tick it was."""

    job_id: str
    schedule: str | None
    tick: str | None


@dataclass
class Fleet:
    """
    Processes of one sort, killed and started anew, and gone with the block; `deaths` is when each that was killed was
    certainly gone, by Postgres' clock.
    """

    module: str
    arguments: Sequence[str]
    world: World
    running: list[Forked] = field(default_factory=list)
    deaths: dict[int, datetime] = field(default_factory=dict)

    async def start(self) -> None:
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        said, says = os.pipe()
        with open(said) as output:
            with open(says, "w") as theirs:
                process = Forked(self.arguments, os.environ, theirs.fileno(), 2, module=self.module)
            self.running.append(process)
            assert output.readline() == "ready\n"

    async def kill(self, process: Forked) -> None:
        self.running.remove(process)
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, 10)
        async with self.world.database.autocommit() as tx:
            self.deaths[process.pid] = await tx.value(b"SELECT clock_timestamp()")

    async def kill_until(self, over: asyncio.Event, chance: random.Random) -> None:
        for turn in count():
            if over.is_set() and turn >= LEAST_TURNS:
                break
            await asyncio.sleep(chance.uniform(0.3, 1.2))
            doomed = list(self.running) if turn % ALL_DIE_EACH == 1 else [chance.choice(self.running)]
            await asyncio.gather(*map(self.kill, doomed))
            await asyncio.gather(*(self.start() for _ in doomed))

    async def end(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            assert await asyncio.to_thread(process.wait, 20) == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running:
            process.kill()
            process.wait(10)


def test_a_thousand_mixed_jobs_survive_their_processes(database_url: str, redis_url: str) -> None:
    asyncio.run(kill_and_look(database_url, redis_url, seed=4, jobs=1_000, seconds=5.0))


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_ten_thousand_mixed_jobs_survive_their_processes(
    database_url: str, redis_url: str, seed: int
) -> None:
    asyncio.run(kill_and_look(database_url, redis_url, seed=seed, jobs=10_000, seconds=45.0))


async def kill_and_look(database_url: str, redis_url: str, seed: int, jobs: int, seconds: float) -> None:
    chance, numbers = random.Random(seed), count()
    # Those of a unique key that was taken are not written.
    mixed: dict[str, NewJob] = {}
    async with AsyncExitStack() as stack:
        w = await stack.enter_async_context(world(database_url, kind(perform_elsewhere)))
        async with w.database.autocommit() as tx:
            await tx.execute(RUNS.encode())
            await tx.execute(WRITTEN.encode())
        workers = stack.enter_context(Fleet("tests.support.jobs_process", [database_url], w))
        schedulers = stack.enter_context(Fleet("tests.support.ticks_process", [database_url, redis_url], w))
        await asyncio.gather(
            *(workers.start() for _ in range(WORKERS)), *(schedulers.start() for _ in range(SCHEDULERS))
        )
        over = asyncio.Event()
        async with asyncio.TaskGroup() as killing:
            killing.create_task(workers.kill_until(over, random.Random(seed + 1)))
            killing.create_task(schedulers.kill_until(over, random.Random(seed + 2)))
            killing.create_task(flush_until(over, redis_url, random.Random(seed + 3)))
            while len(mixed) < jobs:
                offered = {job.id: job for job in (mixed_job(next(numbers), chance) for _ in range(BATCH))}
                mixed |= {id: offered[id] for id in await w.enqueue(*offered.values())}
                await asyncio.sleep(seconds * BATCH / jobs)
            over.set()
        await until_ticked(w, await now(w))
        await schedulers.end()
        ticks = await due_ticks(w)
        await w.until_empty(DRAINED_SECONDS)
        await workers.end()
        async with w.database.autocommit() as tx:
            rows = await tx.tuples(
                b"SELECT job_id, n, pid, began, ended, failed FROM trial_runs ORDER BY began, id"
            )
            runs = [Run(*row) for row in rows]
            written = [Written(*row) for row in await tx.tuples(b"SELECT * FROM trial_written")]
    cut = sum(run.ended is None for run in runs)
    again = sum(times > 1 for times in Counter(run.job_id for run in runs if run.failed is False).values())
    print(
        f"\n{len(written)} jobs, {sum(map(len, ticks.values()))} of them of ticks; {len(runs)} runs, {cut} of them cut"
        f" short, {again} jobs done twice; killed: {len(workers.deaths)} workers, {len(schedulers.deaths)} schedulers"
    )
    assert_each_tick_once(ticks, written)
    assert {row.job_id for row in written if row.tick is None} == set(mixed)
    assert_each_succeeded(written, runs)
    assert_never_at_once(exclusive(mixed, written), runs, workers.deaths)
    assert_in_order(mixed, runs)


async def perform_elsewhere(job: Job, _: object) -> None:
    raise AssertionError("this process only writes jobs")


async def flush_until(over: asyncio.Event, redis_url: str, chance: random.Random) -> None:
    async with Redis.from_url(redis_url) as store:
        while not over.is_set():
            await asyncio.sleep(chance.uniform(0.5, 3.0))
            await store.flushall()


async def now(w: World) -> datetime:
    async with w.database.autocommit() as tx:
        moment: datetime = await tx.value(b"SELECT now()")
    return moment


async def until_ticked(w: World, moment: datetime) -> None:
    """Every schedule has got past that moment."""
    query = b"SELECT count(*) FROM schedules WHERE last_tick_at >= %(moment)s"
    async with asyncio.timeout(CATCH_UP_SECONDS), w.database.autocommit() as tx:
        while await tx.value(query, {"moment": moment}) < len(SCHEDULES):
            await asyncio.sleep(0.1)


async def due_ticks(w: World) -> Mapping[str, Sequence[str]]:
    """By schedule, every second from the one after it was registered to its last tick."""
    async with w.database.autocommit() as tx:
        rows = await tx.tuples(
            b"SELECT name, r.counted_from, last_tick_at FROM schedules JOIN trial_registered AS r ON r.schedule = name"
        )
    return {name: list(seconds_between(since, last)) for name, since, last in rows}


def seconds_between(since: datetime, last: datetime) -> Iterable[str]:
    tick = since.replace(microsecond=0) + SECOND
    while tick <= last:
        yield rfc3339(tick)
        tick += SECOND


def mixed_job(n: int, chance: random.Random) -> NewJob:
    """A third each: of an order, unique, and anything else; some fail at first, some are late, some urgent."""
    payload = {
        "n": n,
        "seconds": chance.choice([0.0, 0.005, 0.05, 0.2]),
        "fails": int(chance.random() < 0.05),
    }
    if n % 3 == 0:
        return NewJob(KIND, payload, key="ordered", order_key=f"order{chance.randrange(ORDERS)}")
    if n % 3 == 1:
        return NewJob(KIND, payload, key=f"key{n % 7}", dedupe_key=f"unique{n % UNIQUES}")
    return NewJob(KIND, payload, key=f"key{n % 7}", priority=chance.choice([URGENT, 0, LOW]))


def exclusive(jobs: Mapping[str, NewJob], written: Sequence[Written]) -> Mapping[str, str]:
    """By job, what no other may run under at the same time."""
    mine = {id: job.dedupe_key or job.order_key for id, job in jobs.items()}
    ticks = {row.job_id: f"{row.schedule}:{row.tick}" for row in written if row.tick}
    return {id: key for id, key in {**mine, **ticks}.items() if key}


def assert_each_tick_once(ticks: Mapping[str, Sequence[str]], written: Sequence[Written]) -> None:
    caused = Counter((row.schedule, row.tick) for row in written if row.tick)
    assert len(ticks) == len(SCHEDULES)
    assert caused == Counter((name, tick) for name, mine in ticks.items() for tick in mine)


def assert_each_succeeded(written: Sequence[Written], runs: Sequence[Run]) -> None:
    succeeded = {run.job_id for run in runs if run.failed is False}
    assert succeeded == {row.job_id for row in written}


def assert_never_at_once(
    exclusive: Mapping[str, str], runs: Sequence[Run], deaths: Mapping[int, datetime]
) -> None:
    """Runs of one job, or of several that exclude each other, do not overlap."""
    by_key: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if key := exclusive.get(run.job_id):
            by_key[key].append(run)
    for key, mine in by_key.items():
        for before, after in pairwise(mine):
            # One that its death cut short ran until then at most.
            end = before.ended or deaths[before.pid]
            assert end <= after.began, f"{key}: {before} and {after} overlap"


def assert_in_order(jobs: Mapping[str, NewJob], runs: Sequence[Run]) -> None:
    """Of an order nothing begins before what was written earlier has succeeded."""
    by_order: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if (job := jobs.get(run.job_id)) and job.order_key:
            by_order[job.order_key].append(run)
    assert len(by_order) > 1
    for order, mine in by_order.items():
        begun = [run.n for run in mine]
        assert begun == sorted(begun), f"{order} ran {begun}"
