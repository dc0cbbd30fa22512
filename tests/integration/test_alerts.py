"""Checks of alerts: repeated, at once, of what is gone, and while nobody makes any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import cast

import psycopg

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.observability.alerts.jobs import CheckAlerts
from ogel.features.observability.alerts.service import AlertService
from ogel.features.observability.alerts.store import AlertStore
from ogel.features.observability.resources.sampler import Sampler
from ogel.kernel.clock import rfc3339, utc_now
from ogel.runtime.alerts import AlertRule, Sample
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.jobs.stuck import stuck_seconds
from ogel.runtime.outbox import Outbox

RULES = [
    AlertRule(
        "process.memory", "warning", 10, "process.memory_bytes", "process-memory.md", subject="process"
    ),
    AlertRule("disk.free", "critical", 0.1, "disk.free_share", "disk-full.md", below=True),
]


class Numbers:
    """What the sampler finds."""

    def __init__(self) -> None:
        self.now: Sequence[Sample] = ()

    async def quickly(self) -> Sequence[Sample]:
        return self.now


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.numbers = Numbers()
        self._tick = utc_now()
        self.service = self.with_rules(RULES)

    def with_rules(self, rules: Sequence[AlertRule]) -> AlertService:
        sampler = cast(Sampler, self.numbers)
        return AlertService(self.database, AlertStore(), Outbox(JobQueue()), sampler, lambda: rules)

    def tick(self) -> str:
        self._tick += timedelta(seconds=1)
        return rfc3339(self._tick)

    async def check(self, times: int = 1) -> None:
        for _ in range(times):
            await self.service.check(self.tick())

    async def told(self) -> list[str]:
        async with self.database.autocommit() as tx:
            rows = await tx.tuples(
                b"SELECT split_part(type, '.', 3), data->>'name', data->>'subject' FROM events ORDER BY id"
            )
        return [" ".join(filter(None, row)) for row in rows]


@asynccontextmanager
async def world(database_url: str) -> AsyncIterator[World]:
    async with make_pool(database_url, PoolOptions(1, 4, 30, 5, 10)) as pool:
        yield World(Database(pool, lambda _: None))


def memory(process: str, value: float) -> Sample:
    return Sample("process.memory_bytes", {"process": process}, value)


def disk(share: float) -> Sample:
    return Sample("disk.free_share", {}, share)


def test_a_check_that_is_run_again_counts_once(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url) as made:
            made.numbers.now = [disk(0.05)]
            tick = made.tick()
            await asyncio.gather(*(made.service.check(tick) for _ in range(4)))
            assert await made.told() == []
            tick = made.tick()
            await asyncio.gather(*(made.service.check(tick) for _ in range(4)))
            assert await made.told() == ["raised disk.free"]

    asyncio.run(story())


def test_checks_that_gathered_are_no_row_of_checks(database_url: str) -> None:
    def job(tick: datetime) -> Job:
        payload = {"tick": rfc3339(tick)}
        return Job("job_1", "alerts.check", payload, 0, "", "", 1, 1, "lease_1", tick, utc_now(), None)

    async def story() -> None:
        async with world(database_url) as made:
            made.numbers.now = [disk(0.05)]
            check = CheckAlerts(made.service)
            for minutes in (30, 20, 10, 3):
                await check.perform(job(utc_now() - timedelta(minutes=minutes)), None)
            await check.perform(job(utc_now() - timedelta(minutes=1)), None)
            assert await made.told() == []
            await check.perform(job(utc_now()), None)
            assert await made.told() == ["raised disk.free"]

    asyncio.run(story())


def test_a_process_that_is_gone_is_cleared_and_forgotten(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url) as made:
            made.numbers.now = [memory("a", 11), memory("b", 1), disk(0.5)]
            await made.check(2)
            made.numbers.now = [memory("b", 1), disk(0.5)]
            await made.check()
            [raised] = [each for each in (await made.service.look()).items if each.raised]
            assert (raised.subject, raised.is_over) == ("a", False)
            await made.check(2)
            assert await made.told() == ["raised process.memory a", "cleared process.memory a"]
            assert {each.subject for each in (await made.service.look()).items} == {"b", None}
            async with made.database.autocommit() as tx:
                assert await tx.value(b"SELECT count(*) FROM alerts") == 2

    asyncio.run(story())


def test_what_cannot_be_asked_stays_as_it_was(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url) as made:
            made.numbers.now = [disk(0.05)]
            await made.check(2)
            made.numbers.now = []
            await made.check(3)
            assert (await made.service.look()).status == "critical"
            assert await made.told() == ["raised disk.free"]
            # A version that has no such rule.
            made.service = made.with_rules(RULES[:1])
            await made.check(2)
            assert await made.told() == ["raised disk.free", "cleared disk.free"]
            assert (await made.service.look()).items == []

    asyncio.run(story())


def test_while_nobody_checks_the_numbers_of_now_decide(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url) as made:
            made.numbers.now = [disk(0.05), memory("a", 11)]
            assert (await made.service.look()).status == "critical"
            await made.check()
            assert (await made.service.look()).status == "ok"  # one check is none
            async with made.database.autocommit() as tx:
                old = rfc3339(utc_now() - timedelta(minutes=6))
                await tx.execute(b"UPDATE alerts SET checked_by = %(old)s", {"old": old})
            assert (await made.service.look()).status == "critical"

    asyncio.run(story())


def test_a_job_is_stuck_that_nothing_but_workers_hold_back(database_url: str) -> None:
    keys = {
        "held": "held = true",
        "slowed": "resume_at = now() + interval '1 minute'",
        "tripped": "probe_at = now(), probe_seconds = 5",
        "rated": "rate_per_second = 1, rate_burst = 1",
        "recovering": "ramp_from = now(), ramp_until = now() + interval '30 seconds'",
    }

    async def stuck(database: Database) -> float:
        async with database.autocommit() as tx:
            return (await stuck_seconds(tx, ["trial", "empty"]))["trial"]

    async def story() -> None:
        async with world(database_url) as made:
            with psycopg.connect(database_url, autocommit=True) as connection:

                def due(key: str, seconds: int) -> None:
                    connection.execute(
                        "INSERT INTO job_queue (id, queue_name, kind, payload, key, max_attempts, scheduled_at) "
                        "VALUES (%s, 'trial', 'x', '{}', %s, 9, now() - make_interval(secs => %s))",
                        (f"job_{key}_{seconds}", key, seconds),
                    )

                for key, how in keys.items():
                    connection.execute("INSERT INTO job_keys (key) VALUES (%s)", (key,))
                    connection.execute(f"UPDATE job_keys SET {how} WHERE key = %s", (key,))
                    due(key, 5000)
                due("later", -5000)
                assert await stuck(made.database) == 0
                connection.execute("INSERT INTO job_keys (key) VALUES ('free')")
                due("free", 100)
                assert 100 <= await stuck(made.database) < 160
                due("", 1000)
                assert 1000 <= await stuck(made.database) < 1060
                connection.execute("INSERT INTO paused_queues (name) VALUES ('trial')")
                assert await stuck(made.database) == 0

    asyncio.run(story())
