"""Retention: what is old and over is forgotten; what is not delivered yet never is."""

from __future__ import annotations

import asyncio

import psycopg

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.jobs import PurgeAudit
from ogel.features.audit.store import AuditStore
from ogel.features.cleanup.jobs import BITE, Purge
from ogel.kernel.clock import utc_now
from ogel.runtime.database import Database
from ogel.runtime.jobs.job import Job

OLD, NEW = "now() - interval '40 days'", "now() - interval '1 day'"


def job() -> Job:
    return Job("job_1", "trial", {}, 0, "", "", 1, 1, "lease_1", utc_now(), utc_now(), None)


def events(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [id for (id,) in connection.execute("SELECT id FROM events ORDER BY id")]


def seed(url: str) -> None:
    with psycopg.connect(url) as connection:
        for id, at in (
            ("old-done", OLD),
            ("old-pending", OLD),
            ("old-plain", OLD),
            ("old-retried", OLD),
            ("new-done", NEW),
        ):
            connection.execute(
                f"INSERT INTO events (id, type, data, created_at) VALUES ('{id}', 'a', '1', {at})"
            )
        connection.execute(
            f"INSERT INTO webhook_deliveries (id, event_id, webhook_id, status, finished_at) VALUES "
            f"('d1', 'old-done', 'wh_1', 'delivered', {OLD}), ('d2', 'old-pending', 'wh_1', 'pending', NULL), "
            f"('d3', 'new-done', 'wh_1', 'delivered', {NEW}), "
            # Being retried, long after it had failed.
            f"('d4', 'old-retried', 'wh_1', 'pending', {OLD})"
        )
        connection.execute(
            f"INSERT INTO webhook_attempts (delivery_id, number, outcome, started_at, duration_seconds) "
            f"VALUES ('d1', 1, 'delivered', {OLD}, 0.1)"
        )
        # More than one bite.
        connection.execute(
            "INSERT INTO events (id, type, data, created_at) "
            f"SELECT 'many-' || n, 'a', '1', {OLD} FROM generate_series(1, {BITE + 500}) AS n"
        )
        connection.execute(
            "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, created_at) VALUES "
            "('r1', 'x', 'x', 'x', 'x', now() - interval '100 days'), ('r2', 'x', 'x', 'x', 'x', now())"
        )


def test_only_what_is_old_and_over_is_forgotten(database_url: str) -> None:
    seed(database_url)

    async def purge() -> None:
        pool = make_pool(database_url, PoolOptions(1, 2, 30, 5, 10))
        await pool.open()
        database = Database(pool, lambda _: None)
        await Purge(database, retention_days=30).perform(job(), None)
        await PurgeAudit(database, AuditStore(), retention_days=90).perform(job(), None)
        await pool.close()

    asyncio.run(purge())
    assert events(database_url) == ["new-done", "old-pending", "old-retried"]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT id FROM webhook_deliveries ORDER BY id").fetchall() == [
            ("d2",),
            ("d3",),
            ("d4",),
        ]
        assert connection.execute("SELECT count(*) FROM webhook_attempts").fetchone() == (0,)
        assert connection.execute("SELECT id FROM audit_logs").fetchall() == [("r2",)]
