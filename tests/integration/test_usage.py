"""Usage, from counters to hours and days: each count once, whatever is repeated, killed or done by two at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from prometheus_client import CollectorRegistry, Counter

from ogel.features.observability.usage import jobs
from ogel.features.observability.usage.flusher import Flusher
from ogel.features.observability.usage.jobs import RollUp
from ogel.features.observability.usage.purges import purges_of_usage
from ogel.features.observability.usage.service import UsageFilters, UsageService
from ogel.features.observability.usage.store import Delta, Flush, Usage, UsageStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.realtime.metrics import RealtimeMetrics
from tests.support.counting import Deaf, connected, job

STORE = UsageStore()


async def roll_up(database: Database) -> None:
    await RollUp(database, STORE).perform(job(), None)


async def used(database: Database, bucket: str = "day", **filters: object) -> list[Usage]:
    now = utc_now()
    wanted = UsageFilters(bucket, now - timedelta(days=400), now + timedelta(days=1), 1000, **filters)  # type: ignore[arg-type]
    return await UsageService(database, STORE).list(wanted)


async def total(database: Database, metric: str, bucket: str = "day") -> int:
    return sum(each.value for each in await used(database, bucket, metric=metric))


async def append(database: Database, number: int, *deltas: Delta, process: str = "proc_1") -> None:
    async with database.autocommit() as tx:
        await STORE.append(tx, Flush(process, "trial", number, 1, 1.0), deltas)


def events(count: int) -> Delta:
    return Delta("events.published", {}, count)


@pytest.mark.parametrize("folded_between", [False, True])
def test_a_flush_that_is_sent_again_counts_once(database_url: str, folded_between: bool) -> None:
    registry = CollectorRegistry()
    counter = Counter("ogel_events_published_total", "", ["id"], registry=registry)

    async def story() -> None:
        async with connected(database_url) as database:
            deaf = Deaf(database._pool, lambda _: None)
            flusher = Flusher(
                deaf, STORE, registry, lambda: {"realtime.connections": lambda: 3}, every_seconds=60
            )
            counter.labels("new").inc(5)
            counter.labels("seen").inc(100)
            deaf.deaf = True
            for _ in range(3):
                with pytest.raises(DatabaseAway):
                    await flusher.flush()
            if folded_between:
                await roll_up(database)
            counter.labels("new").inc(2)
            deaf.deaf = False
            await flusher.last()
            await roll_up(database)
            assert await total(database, "events.published") == 7
            await flusher.flush()
            await roll_up(database)
            assert await total(database, "events.published") == 7
            async with database.autocommit() as tx:
                # One of each flush; they wait for the other processes to tell of this minute.
                waiting = await tx.tuples(b"SELECT metric, value FROM usage_deltas")
            assert waiting == [("realtime.connections", 3)] * 3

    asyncio.run(story())


def test_a_killed_roll_up_counts_once(database_url: str) -> None:
    async def story() -> None:
        async with connected(database_url) as database:
            await append(database, 1, events(3))
            with pytest.raises(DatabaseAway):
                async with database.transaction() as tx:
                    assert await STORE.lock(tx)
                    assert await STORE.fold(tx, 100) == 1
                    pid = await tx.value(b"SELECT pg_backend_pid()")
                    # While one is at it, another has nothing to do.
                    await roll_up(database)
                    with psycopg.connect(database_url, autocommit=True) as connection:
                        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
                    await tx.value(b"SELECT 1")
            assert await total(database, "events.published") == 0
            await roll_up(database)
            await roll_up(database)
            assert await total(database, "events.published") == 3

    asyncio.run(story())


def test_many_processes_and_many_roll_ups_at_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 20)

    async def flushing(database: Database, process: str) -> None:
        for number in range(1, 31):
            attempt = Delta("deliveries.attempts", {"outcome": "failed" if number % 3 else "delivered"}, 1)
            await append(database, number, events(number), attempt, process=process)

    async def folding(database: Database) -> None:
        for _ in range(20):
            await roll_up(database)

    async def story() -> None:
        async with connected(database_url) as database:
            processes = [flushing(database, f"proc_{n}") for n in range(4)]
            await asyncio.gather(*processes, folding(database), folding(database))
            await roll_up(database)
            for bucket in ("hour", "day"):
                assert await total(database, "events.published", bucket) == 4 * sum(range(31))
            by = {each.labels["outcome"]: each.value for each in await used(database, by=["outcome"])
                  if each.metric == "deliveries.attempts"}  # fmt: skip
            assert by == {"delivered": 40, "failed": 80}
            async with database.autocommit() as tx:
                assert await tx.value(b"SELECT count(*) FROM usage_deltas") == 0

    asyncio.run(story())


def test_a_peak_is_the_most_of_all_processes_together(database_url: str) -> None:
    """In one minute 5 (then 3) and 4, in the next 7 and 1; what is younger waits for those who have not told."""
    minutes = [
        (3, "proc_1", 5), (3, "proc_1", 3), (3, "proc_2", 4),
        (2, "proc_1", 7), (2, "proc_2", 1),
        (0, "proc_1", 100),
    ]  # fmt: skip

    async def story() -> None:
        async with connected(database_url) as database:
            with psycopg.connect(database_url) as connection:
                for ago, process, value in minutes:
                    connection.execute(
                        "INSERT INTO usage_deltas (process, metric, labels, value, counted_at) VALUES "
                        "(%s, 'realtime.connections', '{}', %s, "
                        "date_trunc('minute', now()) - make_interval(mins => %s))",
                        (process, value, ago),
                    )
            await roll_up(database)
            assert max(each.value for each in await used(database)) == 9
            async with database.autocommit() as tx:
                assert await tx.value(b"SELECT count(*) FROM usage_deltas") == 1

    asyncio.run(story())


def test_connections_between_two_flushes_are_in_the_peak() -> None:
    metrics = RealtimeMetrics(CollectorRegistry())
    for change in (metrics.opened, metrics.opened, metrics.opened, metrics.closed, metrics.closed):
        change("sse")
    assert metrics.take_peak() == 3
    assert metrics.take_peak() == 1  # still there
    metrics.closed("sse")
    assert metrics.take_peak() == 1
    assert metrics.take_peak() == 0


def test_old_hours_go_before_old_days(database_url: str) -> None:
    async def story() -> None:
        async with connected(database_url) as database:
            with psycopg.connect(database_url) as connection:
                for bucket, days in (("hour", 100), ("hour", 1), ("day", 100), ("day", 2000)):
                    connection.execute(
                        "INSERT INTO usage VALUES (%s, now() - make_interval(days => %s), 'events.published', '{}', 1)",
                        (bucket, days),
                    )
                connection.execute(
                    "INSERT INTO processes (id, name, flush, memory_bytes, cpu_seconds, seen_at) VALUES "
                    "('gone', 'x', 1, 1, 1, now() - interval '8 days'), ('here', 'x', 1, 1, 1, now())"
                )
                connection.execute(
                    "INSERT INTO usage_deltas (process, metric, labels, value, counted_at) VALUES "
                    "('gone', 'events.published', '{}', 1, now() - interval '8 days'), "
                    "('here', 'events.published', '{}', 1, now())"
                )
            for purge in purges_of_usage(hours_kept_days=90, days_kept_days=1096):
                before = utc_now() - timedelta(days=purge.retention_days)
                async with database.transaction() as tx:
                    assert await purge.count(tx, before) == (await purge.batch(tx, before, 100)).deleted == 1
                    assert await purge.count(tx, before) == 0
            async with database.autocommit() as tx:
                left = await tx.tuples(b"SELECT bucket, now() - at < '101 days' FROM usage ORDER BY bucket")
                assert left == [("day", True), ("hour", True)]
                assert await tx.tuples(b"SELECT id FROM processes") == [("here",)]
                assert await tx.tuples(b"SELECT process FROM usage_deltas") == [("here",)]

    asyncio.run(story())


def test_pages_of_usage_have_every_row_once(database_url: str) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    async def story() -> None:
        async with connected(database_url) as database:
            with psycopg.connect(database_url) as connection:
                for day in range(3):
                    for queue in ("a", "b"):
                        for outcome in ("done", "dead"):
                            connection.execute(
                                "INSERT INTO usage VALUES ('day', %s, 'jobs.performed', %s::jsonb, 1)",
                                (
                                    midnight - timedelta(days=day),
                                    f'{{"queue": "{queue}", "outcome": "{outcome}"}}',
                                ),
                            )
            everything = await used(database, by=["queue"])
            assert [each.labels["queue"] for each in everything] == ["a", "b"] * 3
            assert {each.value for each in everything} == {2}
            assert [each.value for each in await used(database)] == [4, 4, 4]
            assert len(await used(database, by=["queue", "outcome"])) == 12

    asyncio.run(story())
