"""Retention: what is old and over is forgotten; what is not delivered yet never is."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from ogel.adapters.temporary import temporary_directory
from ogel.features.cleanup.feature import CleanupFeature
from ogel.features.cleanup.jobs import PURGE, QUEUE
from ogel.features.cleanup.store import Counted, PurgeRun, RunStore
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.principal import SYSTEM, Caller
from ogel.platform.platform import Platform
from ogel.runtime.database.database import Transaction
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.purge import BEGINNING, BatchDone, Cursor, Purge
from ogel.settings import NOWHERE, Settings
from tests.support.core import a_core
from tests.support.jobs import World, world

OLD, NEW = "now() - interval '40 days'", "now() - interval '1 day'"
OPERATOR = Caller(SYSTEM, "req_1")
MANY = 1_200


def purges_of_all(url: str, data_dir: Path) -> Mapping[str, Purge]:
    """Those of every manifest."""
    servers = {"database_url": url, "redis_url": "redis://nowhere"}
    settings = Settings(**servers, admin_key="0" * 24, secret="0" * 24, data_dir=data_dir)
    return Platform(settings).features["cleanup"].offers.purges


@asynccontextmanager
async def cleaning(url: str, *purges: Purge) -> AsyncIterator[tuple[World, CleanupFeature]]:
    async with world(url) as w:
        cleanup = CleanupFeature(a_core(w.database, w.queue), purges)
        # Impatient, so that a failure's retry comes within the test.
        kinds = [_impatient(cleanup.run.kind())]
        w.queue.know(kinds)
        w.kinds = [*w.kinds, *kinds]
        yield w, cleanup


def _impatient(kind: JobKind) -> JobKind:
    return JobKind(
        kind.name,
        kind.queue,
        kind.perform,
        record=kind.record,
        max_attempts=3,
        backoff=RetryPolicy.doubling(0.01, 0.01),
    )


async def run_over(cleanup: CleanupFeature, name: str, job: str, seconds: float = 10.0) -> PurgeRun:
    """The last run of a purge, once it is this job's and over."""
    async with asyncio.timeout(seconds):
        while True:
            run = await cleanup.service.last_run(name)
            if run is not None and run.job == job and run.status != "running":
                return run
            await asyncio.sleep(0.01)


def seed(url: str) -> None:
    with psycopg.connect(url) as connection:
        for id, at in (
            ("old-done", OLD),
            ("old-pending", OLD),
            ("old-retried", OLD),
            ("new-done", NEW),
        ):
            connection.execute(
                f"INSERT INTO events (id, type, data, created_at) VALUES ('{id}', 'a', '1', {at})"
            )
        connection.execute(
            f"INSERT INTO webhook_deliveries (id, event_id, webhook_id, status, finished_at) VALUES "
            f"('dlv_1', 'old-done', 'wh_1', 'failed', {OLD}), ('dlv_2', 'old-pending', 'wh_1', 'pending', NULL), "
            f"('dlv_3', 'new-done', 'wh_1', 'delivered', {NEW}), "
            # Being retried, long after it had failed.
            f"('dlv_4', 'old-retried', 'wh_1', 'pending', {OLD})"
        )
        connection.execute(
            f"INSERT INTO webhook_attempts (delivery_id, number, outcome, started_at, duration_seconds) "
            f"VALUES ('dlv_1', 1, 'failed', {OLD}, 0.1)"
        )
        # More than one batch.
        connection.execute(
            "INSERT INTO events (id, type, data, created_at) "
            f"SELECT 'many-' || n, 'a', '1', {OLD} FROM generate_series(1, {MANY}) AS n"
        )
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts, status, processed_at) VALUES "
            f"('job_1', 'webhooks', 'webhooks.deliver', '{{}}', 1, 'dead', {OLD}), "  # goes with its delivery
            f"('job_3', 'webhooks', 'webhooks.deliver', '{{}}', 1, 'dead', {OLD}), "
            f"('job_old', 'x', 'x', '{{}}', 1, 'dead', {OLD}), ('job_new', 'x', 'x', '{{}}', 1, 'dead', {NEW}), "
            f"('job_waits', 'x', 'x', '{{}}', 1, 'pending', {OLD})"
        )
        connection.execute(
            "INSERT INTO api_keys (id, name, key_hash, hint, scopes, expires_at, revoked_at) VALUES "
            "('key_revoked', '', '1', '', '{}', NULL, now() - interval '366 days'), "
            "('key_expired', '', '2', '', '{}', now() - interval '366 days', NULL), "
            f"('key_lately', '', '3', '', '{{}}', NULL, {OLD}), ('key_good', '', '4', '', '{{}}', NULL, NULL)"
        )


def left(url: str) -> Mapping[str, list[str]]:
    tables = ("events", "webhook_deliveries", "job_queue", "api_keys")
    with psycopg.connect(url) as connection:
        return {
            table: [id for (id,) in connection.execute(f"SELECT id FROM {table} ORDER BY id")]
            for table in tables
        }


def test_only_what_is_old_and_over_is_forgotten(database_url: str, tmp_path: Path) -> None:
    """And exactly as much as a dry run counted; the names are those operators know."""
    seed(database_url)
    purges = purges_of_all(database_url, tmp_path)
    assert sorted(purges) == [
        "api_keys",
        "audit_logs",
        "channels",
        "cost_readings",
        "database_migrations",
        "dead_jobs",
        "deliveries",
        "devices",
        "events",
        "flow_states",
        "health_checks",
        "job_results",
        "mail_messages",
        "message_requests",
        "messages",
        "objects",
        "one_time_codes",
        "processes",
        "publications",
        "replays",
        "resource_samples",
        "s3_keys",
        "sessions",
        "slo_commits",
        "slo_deltas",
        "slo_tallies",
        "slo_uptime",
        "storage_uploads",
        "team_invitations",
        "temporary_files",
        "usage_days",
        "usage_deltas",
        "usage_hours",
    ]

    async def main() -> None:
        async with cleaning(database_url, *purges.values()) as (w, cleanup), w.running(queue=QUEUE):
            for name in ("deliveries", "events", "dead_jobs", "api_keys"):
                counted = (await cleanup.service.dry_run(name)).due
                due = await cleanup.service.run(OPERATOR, name)
                assert due.job is not None
                run = await run_over(cleanup, name, due.job)
                assert (run.status, run.error, run.finished_at is not None) == ("completed", None, True)
                assert counted == due.due == run.total == run.deleted > 0
                assert (await cleanup.service.dry_run(name)).due == 0

    asyncio.run(main())
    assert left(database_url) == {
        "events": ["new-done", "old-pending", "old-retried"],
        "webhook_deliveries": ["dlv_2", "dlv_3", "dlv_4"],
        "job_queue": ["job_3", "job_new", "job_waits"],
        "api_keys": ["key_good", "key_lately"],
    }
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM webhook_attempts").fetchone() == (0,)
        records = connection.execute(
            "SELECT metadata->>'deleted' FROM audit_logs WHERE action = 'cleanup.purge' AND resource_id = 'events'"
        )
        assert records.fetchall() == [(str(MANY + 1),)]


async def run_all(url: str, *purges: Purge) -> list[int]:
    """How much each of them deleted, which is as much as a dry run counted."""
    deleted = []
    async with cleaning(url, *purges) as (w, cleanup), w.running(queue=QUEUE):
        for purge in purges:
            due = await cleanup.service.run(OPERATOR, purge.name)
            assert due.job is not None
            run = await run_over(cleanup, purge.name, due.job)
            assert (run.status, run.deleted) == ("completed", due.due)
            deleted.append(run.deleted)
    return deleted


def test_mail_that_is_over_goes_with_all_that_belongs_to_it(database_url: str, tmp_path: Path) -> None:
    """What was asked for stays while a message of it does; a dead job stays as long as its message."""
    messages = [  # id, request, status, finished_at
        ("old", "alone", "failed", OLD),
        ("old_too", "shared", "sent", OLD),
        ("new", "shared", "failed", NEW),
        ("waits", "waiting", "queued", "NULL"),
    ]
    with psycopg.connect(database_url) as connection:
        for request in ("alone", "shared", "waiting"):
            connection.execute(
                "INSERT INTO mail_requests (id, fingerprint, answer, sender, subject, body_text, headers, created_at) "
                f"VALUES ('{request}', '', '{{}}', 'a@example.com', 'x', 'x', '{{}}', {OLD})"
            )
        for id, request, status, finished_at in messages:
            connection.execute(
                "INSERT INTO mail_messages (id, request_id, recipient, address, status, finished_at, created_at) "
                f"VALUES ('msg_{id}', '{request}', 'b@example.com', 'b@example.com', '{status}', {finished_at}, {OLD})"
            )
            connection.execute(
                f"INSERT INTO mail_attempts (message_id, provider, started_at) VALUES ('msg_{id}', 'smtp', {OLD})"
            )
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts, status, processed_at) VALUES "
            f"('job_old', 'mail', 'mail.send', '{{}}', 8, 'dead', {OLD}), "
            f"('job_new', 'mail', 'mail.send', '{{}}', 8, 'dead', {OLD}), "
            f"('job_waits', 'mail', 'mail.send', '{{}}', 8, 'pending', {OLD})"
        )
    purges = purges_of_all(database_url, tmp_path)
    assert asyncio.run(run_all(database_url, purges["dead_jobs"], purges["mail_messages"])) == [0, 2]
    with psycopg.connect(database_url) as connection:
        for column, table, kept in (
            ("id", "mail_messages", ["msg_new", "msg_waits"]),
            ("message_id", "mail_attempts", ["msg_new", "msg_waits"]),
            ("id", "mail_requests", ["shared", "waiting"]),
            ("id", "job_queue", ["job_new", "job_waits"]),
        ):
            rows = connection.execute(f"SELECT {column} FROM {table} ORDER BY 1").fetchall()
            assert [id for (id,) in rows] == kept


def test_old_samples_are_forgotten(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO resource_samples (name, sampled_at, labels, value) "
            f"SELECT 'disk.free_bytes', {OLD} - make_interval(mins => n), '{{}}'::jsonb, 1 "
            "FROM generate_series(1, 300) AS n "
            f"UNION ALL SELECT 'disk.free_bytes', {NEW}, '{{}}'::jsonb, 2"
        )
    samples = purges_of_all(database_url, tmp_path)["resource_samples"]
    assert asyncio.run(run_all(database_url, samples)) == [300]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT value FROM resource_samples").fetchall() == [(2.0,)]


@pytest.mark.parametrize("still_checked", [True, False])
def test_health_checks_are_forgotten_but_for_the_last(
    database_url: str, tmp_path: Path, still_checked: bool
) -> None:
    """The next check is compared with it: that nobody checked for days is no change."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO health_checks (checked_at, status, checks) "
            f"SELECT {OLD} - make_interval(mins => n), 'healthy', '{{}}'::jsonb FROM generate_series(1, 300) AS n"
        )
        if still_checked:
            connection.execute(
                "INSERT INTO health_checks (checked_at, status, checks) "
                "VALUES (now() - interval '23 hours', 'degraded', '{}'), (now(), 'healthy', '{}')"
            )
    checks = purges_of_all(database_url, tmp_path)["health_checks"]
    assert asyncio.run(run_all(database_url, checks)) == [300 if still_checked else 299]
    with psycopg.connect(database_url) as connection:
        [(left,)] = connection.execute("SELECT count(*) FROM health_checks").fetchall()
    assert left == (2 if still_checked else 1)


def test_what_usage_is_still_made_of_stays_whoever_asks(database_url: str, tmp_path: Path) -> None:
    purges = purges_of_all(database_url, tmp_path)

    async def main() -> None:
        async with cleaning(database_url, purges["usage_deltas"], purges["processes"]) as (_, cleanup):
            for name in ("usage_deltas", "processes"):
                with pytest.raises(Invalid, match="must not be less than 7 days"):
                    await cleanup.service.run(OPERATOR, name, utc_now() - timedelta(days=1))

    asyncio.run(main())


def test_temporary_files_are_gone_after_a_day(database_url: str, tmp_path: Path) -> None:
    below = temporary_directory(tmp_path)
    (below / "deep").mkdir(parents=True)
    elsewhere = tmp_path / "precious"
    elsewhere.write_text("not ours")
    for name in ("old", "deep/old", "new"):
        (below / name).write_text("x")
    (below / "link").symlink_to(elsewhere)
    two_days_ago = time.time() - 2 * 86_400
    for name in ("old", "deep/old"):
        os.utime(below / name, (two_days_ago, two_days_ago))
    os.utime(elsewhere, (two_days_ago, two_days_ago))

    async def main(due: int = 2) -> None:
        purge = purges_of_all(database_url, tmp_path)["temporary_files"]
        async with cleaning(database_url, purge) as (w, cleanup), w.running(queue=QUEUE):
            assert (await cleanup.service.dry_run(purge.name)).due == due
            begun = await cleanup.service.run(OPERATOR, purge.name)
            assert begun.job is not None
            assert (await run_over(cleanup, purge.name, begun.job)).deleted == due

    asyncio.run(main())
    assert sorted(path.name for path in below.rglob("*")) == [
        "deep",
        "link",
        "new",
    ]  # deep was changed just now
    os.utime(below / "deep", (two_days_ago, two_days_ago))
    asyncio.run(main(due=0))
    assert sorted(path.name for path in below.rglob("*")) == ["link", "new"]
    assert elsewhere.exists()


class Hoard:
    """A purge that a test steers: of so many things it deletes, and what it does before each batch."""

    def __init__(self, things: int, name: str = "hoard", after: str | None = None) -> None:
        self.things = things
        self.befores: list[datetime] = []
        self.batches: list[int] = []
        self.cursors: list[str] = []
        self.purge = Purge(name, "things", 7.0, self.count, self.batch, after)

    async def count(self, tx: Transaction, before: datetime) -> int:
        return self.things

    async def batch(
        self, tx: Transaction, before: datetime, limit: int, cursor: Cursor = BEGINNING
    ) -> BatchDone:
        self.befores.append(before)
        self.cursors.append(cursor.id)
        await self.meanwhile()
        deleted = min(limit, self.things)
        await tx.execute(b"SELECT pg_sleep(%(seconds)s)", {"seconds": self.seconds(limit)})
        self.things -= deleted
        self.batches.append(deleted)
        return BatchDone(deleted, deleted < limit, Cursor("2026-01-01T00:00:00Z", f"{self.things} left"))

    def seconds(self, limit: int) -> float:
        """That a batch of such a size takes the database."""
        return 0.0

    async def meanwhile(self) -> None:
        pass


def test_what_fails_is_tried_again_and_in_the_end_dead(database_url: str) -> None:
    hoard = Hoard(1_000)

    async def fail() -> None:
        if len(hoard.batches) == 1:
            raise RuntimeError("the shelf is stuck")

    hoard.meanwhile = fail  # type: ignore[method-assign]

    async def main() -> None:
        async with cleaning(database_url, hoard.purge) as (w, cleanup), w.running(queue=QUEUE):
            due = await cleanup.service.run(OPERATOR, "hoard")
            assert due.job is not None
            run = await run_over(cleanup, "hoard", due.job)
            assert run.status == "failed"
            assert run.error is not None
            assert "the shelf is stuck" in run.error
            assert run.deleted == hoard.batches[0]
            # Three attempts, all with the limit of the first; the batch that was committed is not repeated.
            assert len(hoard.befores) == 4
            assert len(set(hoard.befores)) == 1
            [dead] = await w.rows()
            assert (dead["id"], dead["status"]) == (due.job, "dead")
            # Neither is it in the way of the next, nor of a retry of its own.
            hoard.batches.clear()
            hoard.meanwhile = Hoard(0).meanwhile  # type: ignore[method-assign]
            async with w.database.transaction() as tx:
                assert await w.queue.revive(tx, due.job)
            run = await run_over(cleanup, "hoard", due.job)
            assert (run.status, run.error, run.deleted, hoard.things) == ("completed", None, 1_000, 0)

    asyncio.run(main())


def test_one_run_of_a_kind_at_a_time(database_url: str) -> None:
    hoard, gate = Hoard(300), asyncio.Event()

    async def main() -> None:
        hoard.meanwhile = gate.wait  # type: ignore[method-assign, assignment]
        async with cleaning(database_url, hoard.purge) as (w, cleanup), w.running(queue=QUEUE):
            due = await cleanup.service.run(OPERATOR, "hoard")
            with pytest.raises(Conflict, match="under way"):
                await cleanup.service.run(OPERATOR, "hoard")
            # A schedule's tick finds that somebody is at it.
            [tick] = await w.enqueue(NewJob(PURGE, {"what": "hoard", "tick": "now"}))
            await w.until(lambda rows: tick not in {row["id"] for row in rows})
            gate.set()
            assert due.job is not None
            assert (await run_over(cleanup, "hoard", due.job)).deleted == 300

    asyncio.run(main())


def test_a_purge_waits_for_what_keeps_its_rows(database_url: str) -> None:
    first, second, gate = Hoard(10, "first"), Hoard(10, "second", after="first"), asyncio.Event()

    async def main() -> None:
        first.meanwhile = gate.wait  # type: ignore[method-assign, assignment]
        async with cleaning(database_url, second.purge, first.purge) as (w, cleanup):
            await cleanup.service.run(OPERATOR, "first")
            await cleanup.service.run(OPERATOR, "second")
            async with w.running(queue=QUEUE):
                await w.until(lambda rows: any(row["scheduled_at"] > utc_now() for row in rows))
                assert (first.batches, second.batches) == ([], [])
                gate.set()
                await w.until_empty()
        assert (first.batches, second.batches) == ([10], [10])

    asyncio.run(main())


def test_a_worker_that_stops_leaves_the_rest_to_the_next(database_url: str) -> None:
    hoard, begun = Hoard(500), asyncio.Event()

    async def hang() -> None:
        if len(hoard.batches) == 1:
            begun.set()
            await asyncio.sleep(60)

    async def main() -> None:
        hoard.meanwhile = hang  # type: ignore[method-assign]
        async with cleaning(database_url, hoard.purge) as (w, cleanup):
            due = await cleanup.service.run(OPERATOR, "hoard")
            async with w.running(queue=QUEUE, drain_seconds=0.1):
                await begun.wait()
            hoard.meanwhile = Hoard(0).meanwhile  # type: ignore[method-assign]
            run = await cleanup.service.last_run("hoard")
            assert run is not None
            assert (run.status, run.deleted) == ("running", 100)
            hoard.cursors.clear()
            async with w.running(queue=QUEUE):
                assert due.job is not None
                run = await run_over(cleanup, "hoard", due.job)
            assert (run.status, run.deleted, run.before) == ("completed", 500, due.before)
            assert hoard.cursors[0] == "400 left"
            # The next run looks at everything again.
            hoard.cursors.clear()
            due = await cleanup.service.run(OPERATOR, "hoard")
            async with w.running(queue=QUEUE):
                assert due.job is not None
                await run_over(cleanup, "hoard", due.job)
            assert hoard.cursors == [BEGINNING.id]

    asyncio.run(main())


@pytest.mark.parametrize("over", [True, False])
def test_a_cursor_that_the_version_before_left_is_none_of_the_next_run(database_url: str, over: bool) -> None:
    """It knows no cursors: one stays when it ends that run, or begins another."""
    store, cursor = RunStore(), Cursor("2026-01-01T00:00:00Z", "evt_1")

    async def main() -> None:
        async with world(database_url) as w, w.database.transaction() as tx:
            assert await store.begin(tx, "hoard", "job_1", utc_now(), Counted(9, is_least=False))
            await store.advance(tx, "hoard", "job_1", 3, cursor)
            run = await store.resume(tx, "hoard", "job_1")
            assert run is not None
            assert run.cursor == cursor
            if over:
                await tx.execute(b"UPDATE purge_runs SET finished_at = now()")
                assert await store.resume(tx, "hoard", "job_1") is None
            await tx.execute(b"UPDATE purge_runs SET job_id = 'job_2', deleted = 0, finished_at = NULL")
            run = await store.resume(tx, "hoard", "job_2")
            assert run is not None
            assert run.cursor == BEGINNING
            await store.advance(tx, "hoard", "job_2", 1, cursor)
            run = await store.resume(tx, "hoard", "job_2")
            assert run is not None
            assert run.cursor == cursor

    asyncio.run(main())


def test_a_batch_that_takes_too_long_is_halved(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table that is slow, or of rows that many others hang on."""
    monkeypatch.setattr("ogel.features.cleanup.jobs.LONGEST_BATCH_SECONDS", 0.5)
    hoard = Hoard(60)
    hoard.seconds = lambda limit: 0.01 * limit  # type: ignore[method-assign]

    async def main() -> None:
        async with cleaning(database_url, hoard.purge) as (w, cleanup), w.running(queue=QUEUE):
            due = await cleanup.service.run(OPERATOR, "hoard")
            assert due.job is not None
            run = await run_over(cleanup, "hoard", due.job)
            assert (run.status, run.deleted, run.error, hoard.things) == ("completed", 60, None, 0)
        assert max(hoard.batches) <= 50

    asyncio.run(main())


def test_what_even_the_smallest_batch_cannot_delete_ends_dead(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ogel.features.cleanup.jobs.LONGEST_BATCH_SECONDS", 0.05)
    hoard = Hoard(60)
    hoard.seconds = lambda limit: 10.0  # type: ignore[method-assign]

    async def main() -> None:
        async with cleaning(database_url, hoard.purge) as (w, cleanup), w.running(queue=QUEUE):
            due = await cleanup.service.run(OPERATOR, "hoard")
            assert due.job is not None
            run = await run_over(cleanup, "hoard", due.job)
            told = "even one at a time they are not deleted within 0.05 s"
            assert (run.status, run.deleted, run.error) == ("failed", 0, told)
            [dead] = await w.rows()
            assert (dead["status"], dead["attempts"], dead["last_error"]) == ("dead", 3, told)

    asyncio.run(main())


def test_a_great_many_are_not_counted_to_the_end(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("ogel.runtime.purge", "ogel.features.cleanup.counting"):
        monkeypatch.setattr(f"{module}.MOST_COUNTED", 1_000)
    seed(database_url)
    events = purges_of_all(database_url, tmp_path)["events"]

    async def main() -> None:
        async with cleaning(database_url, replace(events, after=None)) as (w, cleanup):
            due = await cleanup.service.run(OPERATOR, "events")
            assert (due.due, due.due_is_least) == (1_000, True)
            [listed] = await cleanup.service.list()
            assert (listed.due, listed.due_is_least) == (1_000, True)
            async with w.running(queue=QUEUE):
                assert due.job is not None
                run = await run_over(cleanup, "events", due.job)
            assert (run.total, run.total_is_least, run.deleted) == (1_000, True, MANY)
            due = await cleanup.service.dry_run("events")
            assert (due.due, due.due_is_least) == (0, False)

    asyncio.run(main())


def test_what_cannot_be_counted_in_time_is_deleted_all_the_same(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ogel.features.cleanup.counting.COUNT_SECONDS", 0.05)
    hoard = Hoard(10)

    async def count(tx: Transaction, before: datetime) -> int:
        return await tx.value(b"SELECT 1 FROM pg_sleep(10)")  # type: ignore[no-any-return]

    async def main() -> None:
        async with cleaning(database_url, replace(hoard.purge, count=count)) as (w, cleanup):
            [tick] = await w.enqueue(NewJob(PURGE, {"what": "hoard"}))
            async with w.running(queue=QUEUE):
                run = await run_over(cleanup, "hoard", tick)
            assert (run.status, run.total, run.total_is_least, run.deleted) == ("completed", 0, True, 10)

    asyncio.run(main())


def test_a_list_takes_no_longer_for_many_that_are_slow_to_count(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ogel.features.cleanup.counting.COUNT_SECONDS", 0.2)
    monkeypatch.setattr("ogel.features.cleanup.service.LIST_SECONDS", 0.3)
    asked = 0

    async def count(tx: Transaction, before: datetime) -> int:
        nonlocal asked
        asked += 1
        return await tx.value(b"SELECT 1 FROM pg_sleep(10)")  # type: ignore[no-any-return]

    slow = [replace(Hoard(1, f"slow_{number}").purge, count=count) for number in range(5)]

    async def main() -> None:
        async with cleaning(database_url, *slow, Hoard(7, "a_quick_one").purge) as (_, cleanup):
            listed = [(each.due, each.due_is_least) for each in await cleanup.service.list()]
        assert listed == [(7, False)] + 5 * [(0, True)]
        assert asked <= 2

    asyncio.run(main())


@pytest.mark.parametrize("what", ["events", "dead_jobs"])
def test_what_stays_is_looked_at_once_in_a_run(database_url: str, tmp_path: Path, what: str) -> None:
    """However much of it there is: a batch begins where the last one ended, also in the middle of one moment."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO events (id, type, data, created_at) "
            f"SELECT 'e' || n, 'a', '1', {OLD} - make_interval(secs => n / 10) FROM generate_series(1, 50) AS n"
        )
        connection.execute(
            "INSERT INTO webhook_deliveries (id, event_id, webhook_id, status) "
            "SELECT 'dlv_' || n, 'e' || n, 'wh_1', 'pending' FROM generate_series(1, 50) AS n WHERE n % 10 <> 0"
        )
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts, status, processed_at) "
            "SELECT 'j' || n, 'q', CASE WHEN n % 10 = 0 THEN 'x' ELSE 'webhooks.deliver' END, '{}', 1, 'dead', "
            f"{OLD} - make_interval(secs => n / 10) FROM generate_series(1, 50) AS n"
        )
    purge = purges_of_all(database_url, tmp_path)[what]
    before = utc_now() - timedelta(days=30)

    async def main() -> None:
        async with world(database_url) as w:
            async with w.database.autocommit() as tx:
                assert await purge.count(tx, before) == 5
            batches, cursor, is_over = [], BEGINNING, False
            while not is_over:
                async with w.database.transaction() as tx:
                    deleted, is_over, cursor = await purge.batch(tx, before, 12, cursor)
                batches.append(deleted)
            assert (len(batches), sum(batches)) == (5, 5)
            async with w.database.autocommit() as tx:
                assert await purge.count(tx, before) == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "table", "rows"),
    [
        (
            "deliveries",
            "webhook_deliveries",
            "INSERT INTO webhook_deliveries (id, event_id, webhook_id, status, finished_at) "
            "SELECT 'dlv_' || n, 'e', 'wh_' || n, 'failed', {at} FROM generate_series(1, 3) AS n",
        ),
        (
            "messages",
            "messages",
            "INSERT INTO messages (id, channel, recipient, content, status, finished_at, lifetime_seconds) "
            "SELECT 'msg_' || n, 'sms', '+1', '{{}}', 'failed', {at}, 60 FROM generate_series(1, 3) AS n",
        ),
        (
            "mail_messages",
            "mail_messages",
            "INSERT INTO mail_messages (id, request_id, recipient, address, status, finished_at, created_at) "
            "SELECT 'msg_' || n, 'r', 'b@x.example', 'b@x.example', 'failed', {at}, {at} "
            "FROM generate_series(1, 3) AS n",
        ),
    ],
)
def test_a_purge_and_a_retry_do_not_wait_for_each_other(
    database_url: str, tmp_path: Path, name: str, table: str, rows: str
) -> None:
    """The retry has locked the job, and wants what it is about next; that one stays, and all others go."""
    with psycopg.connect(database_url) as connection:
        connection.execute(f"INSERT INTO events (id, type, data, created_at) VALUES ('e', 'a', '1', {OLD})")
        connection.execute(
            "INSERT INTO mail_requests (id, fingerprint, answer, sender, subject, body_text, headers, created_at) "
            f"VALUES ('r', '', '{{}}', 'a@example.com', 'x', 'x', '{{}}', {OLD})"
        )
        connection.execute(rows.format(at=OLD))
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts, status, processed_at) "
            f"SELECT 'job_' || n, 'q', 'x', '{{}}', 1, 'dead', {OLD} FROM generate_series(1, 3) AS n"
        )
    purge = purges_of_all(database_url, tmp_path)[name]

    async def main() -> None:
        async with world(database_url) as w, w.database.transaction() as retry:
            assert await w.queue.revive(retry, "job_2")
            async with w.database.transaction() as tx:
                batch = await purge.batch(tx, utc_now() - timedelta(days=30), 100)
                assert (batch.deleted, batch.is_over) == (2, True)
                # The job is the purge's no more than the rest: whoever waits for it has it at once.
                changed = f"UPDATE {table} SET finished_at = now() WHERE id LIKE '%2'"
                assert await retry.execute(changed.encode()) == 1

    asyncio.run(main())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT id, status FROM job_queue").fetchall() == [("job_2", "pending")]
        [(kept,)] = connection.execute(f"SELECT id FROM {table}").fetchall()
    assert kept.endswith("_2")


@pytest.mark.parametrize(
    ("name", "table", "rows"),
    [
        (
            "database_migrations",
            "platform_database_migrations",
            "INSERT INTO platform_database_migrations (id, database_id, status, total, finished_at) "
            "SELECT 'mig_' || n, 'db_1', 'failed', 1, {at} FROM generate_series(1, 3) AS n",
        ),
        (
            "replays",
            "webhook_replays",
            "INSERT INTO webhook_replays (id, webhook_id, since, until, choice, event_globs, event_likes, status, "
            "cursor_at, cursor_id, counted_at, counted_id, finished_at) "
            "SELECT 'rpl_' || n, 'wh_1', {at}, {at}, 'all', '{{}}', '{{}}', 'completed', {at}, '', {at}, '', {at} "
            "FROM generate_series(1, 3) AS n",
        ),
    ],
)
def test_what_is_just_taken_up_again_is_neither_waited_for_nor_forgotten(
    database_url: str, tmp_path: Path, name: str, table: str, rows: str
) -> None:
    """Its old row, which the purge still sees, says that it is over."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO platform_databases (id, name, type, host, port, database, ssl_mode) "
            "VALUES ('db_1', 'a', 'postgresql', 'a.example', 5432, 'd', 'disable')"
        )
        connection.execute(rows.format(at=OLD))
    purge = purges_of_all(database_url, tmp_path)[name]

    async def main() -> None:
        async with world(database_url) as w, w.database.transaction() as retry:
            go_on = f"UPDATE {table} SET status = 'running', finished_at = NULL WHERE id LIKE '%2'"
            assert await retry.execute(go_on.encode()) == 1
            async with w.database.transaction() as tx:
                batch = await purge.batch(tx, utc_now() - timedelta(days=30), 100)
            assert (batch.deleted, batch.is_over) == (2, True)

    asyncio.run(main())
    with psycopg.connect(database_url) as connection:
        [(kept, status)] = connection.execute(f"SELECT id, status FROM {table}").fetchall()
    assert (kept[-2:], status) == ("_2", "running")


def test_jobs_of_other_versions_harm_nothing(database_url: str) -> None:
    async def main() -> None:
        async with cleaning(database_url, Hoard(1).purge) as (w, _):
            await w.enqueue(NewJob(PURGE, {"tick": "2026-01-01T02:00:00Z"}), NewJob(PURGE, {"what": "gone"}))
            async with w.running(queue=QUEUE):
                await w.until_empty()

    asyncio.run(main())


def test_each_has_a_schedule_and_can_be_run_without(database_url: str) -> None:
    purges = [Hoard(3, name).purge for name in ("kept", "swept")]

    def feature(of: list[Purge] = purges) -> CleanupFeature:
        return CleanupFeature(Platform(NOWHERE).core, of)

    [_, schedule] = feature().schedules
    assert (schedule.name, schedule.cron, schedule.payload) == (
        "cleanup.swept",
        "0 2 * * *",
        {"what": "swept"},
    )
    with pytest.raises(ValueError, match="share a name"):
        feature(of=[purges[0], purges[0]])
    with pytest.raises(ValueError, match="waits for 'nobody'"):
        feature(of=[Hoard(1, "late", after="nobody").purge])
    with pytest.raises(ValueError, match="purge name"):
        Hoard(1, "No Name")

    async def main() -> None:
        async with cleaning(database_url, *purges) as (_, cleanup):
            assert (await cleanup.service.dry_run("kept", utc_now() - timedelta(days=1))).due == 3
            with pytest.raises(NotFound, match="kept, swept"):
                await cleanup.service.run(OPERATOR, "all")

    asyncio.run(main())
