"""Endpoints that tests of a URL left behind before they were forgotten with their last delivery."""

from __future__ import annotations

import asyncio

import psycopg

from ogel.adapters.migrations import migrate, read_migrations
from tests.conftest import MIGRATIONS

BEFORE = 22


def test_those_that_nothing_is_on_its_way_to_are_deleted(empty_database_url: str) -> None:
    migrations = read_migrations(MIGRATIONS)
    asyncio.run(migrate(empty_database_url, migrations[:BEFORE]))
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO events (id, type, data) VALUES ('evt_1', 'webhook.test', '{}')")
        for id, globs, status in (
            ("wh_over", [], "delivered"),
            ("wh_under_way", [], "pending"),
            ("wh_never", [], None),
            ("wh_real", ["*"], "delivered"),
        ):
            connection.execute(
                "INSERT INTO webhook_endpoints (id, url, event_globs, event_likes, max_in_flight, timeout_seconds)"
                " VALUES (%s, 'http://x', %s, %s, 1, 1)",
                [id, globs, globs],
            )
            connection.execute("INSERT INTO job_keys (key, key_limit) VALUES (%s, 1)", [id])
            if status is not None:
                connection.execute(
                    "INSERT INTO webhook_deliveries (id, event_id, webhook_id, status) VALUES (%s, 'evt_1', %s, %s)",
                    [f"dlv_{id}", id, status],
                )
    asyncio.run(migrate(empty_database_url, migrations))
    with psycopg.connect(empty_database_url) as connection:
        endpoints = connection.execute("SELECT id FROM webhook_endpoints ORDER BY id").fetchall()
        keys = connection.execute("SELECT key FROM job_keys ORDER BY key").fetchall()
        deliveries = connection.execute("SELECT count(*) FROM webhook_deliveries").fetchall()
    assert endpoints == keys == [("wh_real",), ("wh_under_way",)]
    assert deliveries == [(3,)]
