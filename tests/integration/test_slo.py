"""What processes count for the objectives, from tallies to windows: each count once, whatever is repeated or killed."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from ogel.adapters.embedded import EmbeddedServers, postgres
from ogel.features.costs.contract import ThisPeriod
from ogel.features.observability.settings import ObservabilitySettings
from ogel.features.observability.slo.delivering import DeploymentWatch
from ogel.features.observability.slo.jobs import FoldTallies
from ogel.features.observability.slo.purges import purges_of_slo
from ogel.features.observability.slo.service import SloService
from ogel.features.observability.slo.standings import Standing
from ogel.features.observability.slo.statements import told_by_postgres
from ogel.features.observability.slo.store import SloStore
from ogel.features.observability.slo.uptime import UptimeWatch
from ogel.features.observability.usage.flusher import Flusher
from ogel.features.observability.usage.store import UsageStore
from ogel.kernel.clock import utc_now
from ogel.platform.platform import Platform
from ogel.runtime.database.database import Database, DatabaseAway, Transaction
from ogel.runtime.http.gate import Notice
from ogel.runtime.http.health import Checkup, Probe
from ogel.runtime.metrics.tallies import Tallies
from ogel.settings import NOWHERE
from tests.support.counting import Deaf, connected, job

STORE = SloStore()


async def fold(database: Database) -> None:
    await FoldTallies(database, STORE).perform(job(), None)


class Unread:
    async def this_period(self) -> ThisPeriod | None:
        return None


def service(database: Database) -> SloService:
    settings = ObservabilitySettings()
    watch = DeploymentWatch(Platform(NOWHERE).core.railway, None, None, database, STORE, settings)
    return SloService(database, STORE, settings, watch, Unread)


async def kept(database: Database, objective: str, window: str = "1h") -> Standing:
    looked = await service(database).look()
    [found] = [each.standings[window] for each in looked.kept if each.objective.name == objective]
    return found


async def rows(database: Database, query: bytes) -> Sequence[tuple[object, ...]]:
    async with database.autocommit() as tx:
        return await tx.tuples(query)


class Away(Database):
    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        raise DatabaseAway("The database does not answer.")
        yield


def flusher(database: Database, tallies: Tallies) -> Flusher:
    return Flusher(database, UsageStore(), CollectorRegistry(), dict, 60, tallies)


@pytest.mark.parametrize("folded_between", [False, True])
def test_a_flush_that_is_sent_again_counts_once(database_url: str, folded_between: bool) -> None:
    async def story() -> None:
        async with connected(database_url) as database:
            deaf, tallies = Deaf(database._pool, lambda _: None), Tallies()
            hand = flusher(deaf, tallies)
            tallies.of("http.read").timed(0.1)
            tallies.of("ended.mail.send").counted(1, 0)  # promised to nobody
            deaf.deaf = True
            for _ in range(3):
                with pytest.raises(DatabaseAway):
                    await hand.flush()
            if folded_between:
                await fold(database)
            tallies.of("http.read").timed(0.3)
            deaf.deaf = False
            await hand.last()
            assert (await kept(database, "api.read.p95")).total == 2
            await fold(database)
            assert (await kept(database, "api.read.p95")).total == 2
            assert await rows(database, b"SELECT DISTINCT series FROM slo_tallies") == [("http.read",)]

    asyncio.run(story())


def test_what_is_counted_while_postgres_is_away_keeps_its_minutes(database_url: str) -> None:
    clock = {"now": 1_700_000_000.0 // 60 * 60}

    async def story() -> None:
        async with connected(database_url) as database:
            tallies = Tallies(lambda: clock["now"])
            hand = flusher(Away(database._pool, lambda _: None), tallies)
            for _ in range(5):
                tallies.of("http.read").timed(0.1)
                with pytest.raises(DatabaseAway):
                    await hand.flush()
                clock["now"] += 60
                tallies.turn()
            hand._database = database
            await hand.last()
            minutes = await rows(
                database, b"SELECT extract(epoch FROM at)::int, total FROM slo_deltas ORDER BY at"
            )
            assert minutes == [(clock["now"] - 60 * ago, 1) for ago in (5, 4, 3, 2, 1)]

    asyncio.run(story())


def test_a_killed_fold_counts_once(database_url: str) -> None:
    async def story() -> None:
        async with connected(database_url) as database:
            tallies = Tallies()
            tallies.of("http.read").timed(0.1)
            await flusher(database, tallies).flush()
            with pytest.raises(DatabaseAway):
                async with database.transaction() as tx:
                    assert await STORE.lock(tx)
                    assert await STORE.fold(tx, 100) == 1
                    pid = await tx.value(b"SELECT pg_backend_pid()")
                    # While one is at it, another has nothing to do.
                    await fold(database)
                    with psycopg.connect(database_url, autocommit=True) as connection:
                        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
                    await tx.value(b"SELECT 1")
            assert await rows(database, b"SELECT series FROM slo_tallies") == []
            await fold(database)
            await fold(database)
            assert (await kept(database, "api.read.p95")).total == 1

    asyncio.run(story())


def test_many_processes_and_many_folds_at_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the end of an hour and of a day: each window has what is in it, folded or not, and its true quantiles."""
    monkeypatch.setattr("ogel.features.observability.slo.jobs.BATCH", 7)
    chance = random.Random(15)
    now = utc_now().replace(hour=1, minute=20, second=30)
    clock, told = {"now": 0.0}, []

    async def story() -> None:
        async with connected(database_url) as database:

            async def serving(minutes_ago: Sequence[int]) -> None:
                tallies = Tallies(lambda: clock["now"])
                hand = flusher(database, tallies)
                for ago in minutes_ago:
                    at = now - timedelta(minutes=ago)
                    clock["now"] = at.timestamp()
                    tallies.turn()
                    for _ in range(20):
                        seconds = chance.lognormvariate(-4, 1.2)
                        bad = chance.random() < 0.1
                        tallies.of("http.read").timed(seconds, bad)
                        told.append((ago, seconds, bad))
                    await hand.flush()
                await hand.last()

            async def folding() -> None:
                for _ in range(10):
                    await fold(database)

            processes = [serving(sorted(chance.sample(range(150), 12), reverse=True)) for _ in range(4)]
            await asyncio.gather(*processes, folding(), folding())
            for _ in range(2):
                looked = await service(database)._look(now)
                standings = {each.objective.name: each.standings for each in looked.kept}
                for window, minutes in (("5m", 5), ("30m", 30), ("1h", 60), ("24h", 1440), ("30d", 43200)):
                    within = sorted(seconds for ago, seconds, _ in told if ago <= minutes)
                    found = standings["api.read.p95"][window]
                    assert found.total == len(within)
                    rank = math.ceil(round(0.95 * len(within), 9))
                    assert found.value == pytest.approx(within[rank - 1], rel=0.005)
                    failed = sum(bad for ago, _, bad in told if ago <= minutes)
                    assert standings["api.errors"][window].bad == failed
                await fold(database)
            assert await rows(database, b"SELECT count(*) FROM slo_deltas") == [(0,)]

    asyncio.run(story())


class Switch:
    notified: Notice | None = None

    async def notice(self) -> Notice | None:
        return self.notified


def test_a_minute_is_up_when_the_api_was_well_in_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 11, 29, 16, 7, 59, tzinfo=UTC)
    monkeypatch.setattr("ogel.features.observability.slo.uptime.utc_now", lambda: now)
    switch = Switch()

    async def answers(well: bool) -> bool:
        return well

    async def story() -> None:
        async with connected(database_url) as database:

            def watch(well: bool) -> UptimeWatch:
                checkup = Checkup([Probe("postgres", lambda: answers(well))])
                return UptimeWatch(database, checkup, lambda: switch)

            noted = b"SELECT hour, up::text, maintenance::text FROM slo_uptime"
            assert not await watch(well=False)._look()
            assert await rows(database, noted) == []
            # Of two processes one is well.
            assert await watch(well=True)._look()
            assert not await watch(well=False)._look()
            hour, seventh = now.replace(minute=0, second=0), "0" * 7 + "1" + "0" * 52
            assert await rows(database, noted) == [(hour, seventh, "0" * 60)]
            switch.notified = Notice("Back soon.", 60)
            assert await watch(well=True)._look()
            assert await rows(database, noted) == [(hour, seventh, seventh)]

    asyncio.run(story())


def test_what_is_older_than_the_longest_window_is_forgotten(database_url: str) -> None:
    days = {"minute": (1, 2), "hour": (34, 36), "day": (34, 36)}

    async def story() -> None:
        async with connected(database_url) as database:
            with psycopg.connect(database_url) as connection:
                for bucket, ages in days.items():
                    for age in ages:
                        connection.execute(
                            "INSERT INTO slo_tallies VALUES (%s, now() - %s * interval '1 day', 'x', 1, 0, '{}', '{}')",
                            (bucket, age),
                        )
                for age in (34, 36):
                    connection.execute(
                        "INSERT INTO slo_uptime VALUES (now() - %s * interval '1 day', 0::bit(60), 0::bit(60))",
                        (age,),
                    )
                    connection.execute(
                        "INSERT INTO slo_commits VALUES (%s::text, now(), now() - %s * interval '1 day')",
                        (age, age),
                    )
                for age in (6, 8):
                    connection.execute(
                        "INSERT INTO slo_deltas (at, series, total, bad, buckets, counts) "
                        "VALUES (now() - make_interval(days => %s), 'x', 1, 0, '{}', '{}')",
                        (age,),
                    )
            deleted = []
            for purge in purges_of_slo():
                before = utc_now() - timedelta(days=purge.retention_days)
                async with database.transaction() as tx:
                    due = await purge.count(tx, before)
                    deleted.append((await purge.batch(tx, before, 100)).deleted)
                    assert due == deleted[-1]
            assert deleted == [2, 1, 1, 1]
            await fold(database)
            left = (
                b"SELECT count(*) FROM slo_tallies WHERE bucket = 'minute' AND at < now() - interval '1 hour'"
            )
            assert await rows(database, left) == [(1,)]

    asyncio.run(story())


COUNT_STATEMENTS = "CREATE SCHEMA extensions; CREATE EXTENSION pg_stat_statements SCHEMA extensions"


def test_postgres_tells_nothing_of_statements_that_it_does_not_count(database_url: str) -> None:
    async def noted() -> str | None:
        async with connected(database_url) as database:
            return await told_by_postgres(database, 0.05)

    assert asyncio.run(noted()) is None
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(COUNT_STATEMENTS)
    unloaded = asyncio.run(noted())
    assert unloaded is not None
    assert unloaded.startswith("pg_stat_statements tells nothing: pg_stat_statements must be loaded")


@pytest.mark.long
def test_postgres_tells_of_statements_that_it_counts(tmp_path: Path) -> None:
    async def noted(url: str) -> str | None:
        async with connected(url) as database:
            return await told_by_postgres(database, 0.05)

    with (
        mock.patch.dict(
            postgres._SETTINGS, {"fsync": "off", "shared_preload_libraries": "pg_stat_statements"}
        ),
        EmbeddedServers.start(tmp_path) as servers,
    ):
        assert servers.database_url
        with psycopg.connect(servers.database_url, autocommit=True) as connection:
            connection.execute(COUNT_STATEMENTS)
            for _ in range(3):
                connection.execute("SELECT pg_sleep(0.06)")
        loaded = asyncio.run(noted(servers.database_url))
    assert loaded is not None
    assert "and 3 were of statements that take longer than 50 ms" in loaded
