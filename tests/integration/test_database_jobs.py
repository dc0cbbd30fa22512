"""Checks and runs as workers perform them: what is out of date does not count, and what breaks is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.databases.checks.job import CHECK
from ogel.features.databases.checks.jobs import CHECK_ALL, UNKNOWN_FAULT, Loaded
from ogel.features.databases.feature import DatabaseFeature
from ogel.features.databases.migrations.migration import MigrationFile, NewRun
from ogel.features.databases.migrations.purge import purge_of_runs
from ogel.features.databases.registry.database import DatabaseChange, NewDatabase, RegisteredDatabase
from ogel.features.databases.registry.store import RegistryStore
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database
from ogel.runtime.database.registered import Applied, Catalog, NextFile, Seen, Target, TargetError
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.secrets.vault import Vault
from tests.support.core import a_core

CALLER = Caller(SYSTEM, "req_test")
SECRET = "test-secret-0123456789abcdef-0123"


class Elsewhere:
    """Databases that answer as they are told to."""

    def __init__(self) -> None:
        self.says: Seen | TargetError = Seen(0.001, "1.0", {"size_bytes": 7}, None)
        self.asked: list[Target] = []

    def check_host(self, host: str) -> None: ...

    async def look(self, target: Target) -> Seen:
        self.asked.append(target)
        if isinstance(self.says, TargetError):
            raise self.says
        return self.says

    async def catalog(
        self, target: Target, what: Catalog, filters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        raise NotImplementedError

    async def applied(self, target: Target) -> Sequence[Applied]:
        return []

    async def migrate(self, target: Target, next_file: NextFile) -> None:
        raise NotImplementedError


@dataclass
class World:
    database: Database
    feature: DatabaseFeature
    elsewhere: Elsewhere

    def kind(self, name: str) -> JobKind:
        [kind] = [kind for kind in self.feature.kinds if kind.name == name]
        return kind

    async def register(self, **parts: Any) -> RegisteredDatabase:
        new = NewDatabase(
            **{"name": "it", "type": "redis", "host": "h", "password": "hunter2-hunter2", **parts}
        )
        return await self.feature.registry.create(CALLER, new)

    async def loaded(self, id: str) -> Loaded:
        async with self.database.autocommit() as tx:
            [target] = await RegistryStore().targets(tx, [id])
        return Loaded(target, was_unreachable=False)

    async def record(self, job: Job, outcome: Outcome) -> None:
        kind = self.kind(CHECK)
        assert kind.record is not None
        async with self.database.transaction() as tx:
            await kind.record(tx, [Finished(job, outcome, None)])

    async def rows(self, query: bytes) -> list[tuple[Any, ...]]:
        async with self.database.autocommit() as tx:
            return await tx.tuples(query)


@asynccontextmanager
async def world(database_url: str, secret: str = SECRET) -> AsyncIterator[World]:
    pool = make_pool(database_url, PoolOptions(1, 4, 30, 5, 10))
    await pool.open()
    database, jobs, elsewhere = Database(pool, lambda _: None), JobQueue(), Elsewhere()
    feature = DatabaseFeature(a_core(database, jobs, vault=Vault(secret)), elsewhere)
    jobs.know(feature.kinds)
    try:
        yield World(database, feature, elsewhere)
    finally:
        await pool.close()


def in_world(database_url: str, story: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        async with world(database_url) as w:
            await story(w)

    asyncio.run(told())


def job_of(id: str, attempts: int = 1) -> Job:
    return Job(f"job_{id}", CHECK, {"database": id}, 0, "", "", attempts, 8, "l", utc_now(), utc_now(), None)


def test_a_blip_is_no_outage(database_url: str) -> None:
    async def story(w: World) -> None:
        id = (await w.register()).id
        w.elsewhere.says = TargetError("away")
        perform, loaded = w.kind(CHECK).perform, await w.loaded(id)
        for attempt in (1, 2):
            outcome = await perform(job_of(id, attempt), loaded)
            assert outcome is not None and (outcome.verdict, outcome.error) == ("retry", "away")
        last = await perform(job_of(id, 3), loaded)
        assert last is not None and last.verdict == "done"
        await w.record(job_of(id), last)
        assert (await w.feature.registry.get(id)).check.state == "unreachable"
        # Known to be away, it is asked once; refused for good, too.
        once = await perform(job_of(id), Loaded(loaded.target, was_unreachable=True))
        assert once is not None and once.verdict == "done"
        w.elsewhere.says = TargetError("wrong password", final=True)
        final = await perform(job_of(id), loaded)
        assert final is not None and final.verdict == "done"

    in_world(database_url, story)


def test_what_was_found_before_a_move_does_not_count(database_url: str) -> None:
    async def story(w: World) -> None:
        id = (await w.register()).id
        outcome = await w.kind(CHECK).perform(job_of(id), await w.loaded(id))
        assert outcome is not None
        await w.feature.registry.change(CALLER, id, DatabaseChange(host="other", password="other-password"))
        # The first is still under way, and the one that will count is not kept out by it.
        assert await w.rows(b"SELECT count(*) FROM job_queue WHERE kind = 'databases.check'") == [(2,)]
        await w.record(job_of(id), outcome)
        assert (await w.feature.registry.get(id)).check.state == "unknown"
        fresh = await w.kind(CHECK).perform(job_of(id), await w.loaded(id))
        assert fresh is not None
        await w.record(job_of(id), fresh)
        found = await w.feature.registry.get(id)
        assert found.check.state == "reachable"
        assert (await w.feature.checks.stats("it")).stats == {"size_bytes": 7}
        assert [target.password for target in w.elsewhere.asked] == ["hunter2-hunter2", "other-password"]
        await w.feature.registry.delete(CALLER, id)
        await w.record(job_of(id), fresh)  # it is gone, and nothing is written

    in_world(database_url, story)


def test_a_check_that_breaks_ends_as_a_dead_job_and_says_so(database_url: str) -> None:
    async def story(w: World) -> None:
        id = (await w.register()).id
        await w.record(job_of(id), Outcome("dead", "ValueError: odd"))
        check = (await w.feature.registry.get(id)).check
        assert (check.state, check.error) == ("unreachable", UNKNOWN_FAULT)
        assert await w.rows(b"SELECT type FROM events") == [("database.unreachable",)]
        [(resumes,)] = await w.rows(
            b"SELECT resume_at > now() FROM job_keys WHERE key LIKE 'databases.check:%'"
        )
        assert resumes

    in_world(database_url, story)


def test_what_a_server_says_is_kept_within_bounds(database_url: str) -> None:
    async def story(w: World) -> None:
        id = (await w.register()).id
        w.elsewhere.says = Seen(0.1, "9\x00" * 500, {"a": "\x00", "size_bytes": 2**70}, "b\x00")
        outcome = await w.kind(CHECK).perform(job_of(id), await w.loaded(id))
        assert outcome is not None
        await w.record(job_of(id), outcome)
        found = await w.feature.registry.get(id)
        assert found.check.server_version == "9" * 100
        w.elsewhere.says = Seen(0.1, "9", {"a": "x" * 70_000}, None)
        outcome = await w.kind(CHECK).perform(job_of(id), await w.loaded(id))
        assert outcome is not None
        await w.record(job_of(id), outcome)
        stats = await w.feature.checks.stats(id)
        assert stats.stats is None and "longer" in (stats.error or "")

    in_world(database_url, story)


def test_a_password_under_another_secret_is_an_error_that_says_so(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url) as w:
            id = (await w.register()).id
        async with world(database_url, secret="another-secret-0123456789abcdef-01") as w:
            outcome = await w.kind(CHECK).perform(job_of(id), await w.loaded(id))
            assert outcome is not None
            await w.record(job_of(id), outcome)
            assert "OGEL_SECRET" in ((await w.feature.registry.get(id)).check.error or "")
            assert w.elsewhere.asked == []

    asyncio.run(story())


def test_all_are_asked_for_once_each(database_url: str) -> None:
    async def story(w: World) -> None:
        ids = [(await w.register(name=f"n{n}")).id for n in range(3)]
        query = b"SELECT payload ->> 'database' FROM job_queue WHERE kind = 'databases.check' ORDER BY 1"
        await w.rows(b"DELETE FROM job_queue WHERE payload ->> 'database' <> '' RETURNING id")
        for _ in range(2):
            await w.kind(CHECK_ALL).perform(job_of(ids[0]), None)
            assert [id for (id,) in await w.rows(query)] == sorted(ids)

    in_world(database_url, story)


def test_runs_that_are_long_over_are_forgotten(database_url: str) -> None:
    async def story(w: World) -> None:
        await w.register(name="pg", type="postgresql")
        new = NewRun(files=[MigrationFile("1_a.sql", "SELECT 1")])
        for _ in range(2):
            run = await w.feature.migrations.start(CALLER, "pg", new)
            await w.feature.migrations.cancel(CALLER, "pg", run.id)
        await w.rows(
            b"UPDATE platform_database_migrations SET finished_at = finished_at - interval '31 days'"
            b" WHERE id = (SELECT min(id) FROM platform_database_migrations) RETURNING id"
        )
        assert await w.rows(b"SELECT sql FROM platform_database_migration_files") == [(None,), (None,)]
        unfinished = await w.feature.migrations.start(CALLER, "pg", new)
        purge = purge_of_runs(30)
        before = utc_now() - timedelta(days=30)
        async with w.database.transaction() as tx:
            assert await purge.count(tx, before) == (await purge.batch(tx, before, 100)).deleted == 1
        assert [each.id for each in await w.feature.migrations.list("pg", None, 9)] == [unfinished.id, run.id]
        await w.feature.migrations.cancel(CALLER, "pg", unfinished.id)
        await w.feature.registry.delete(CALLER, "pg")
        assert await w.rows(b"SELECT count(*) FROM platform_database_migration_files") == [(0,)]

    in_world(database_url, story)
