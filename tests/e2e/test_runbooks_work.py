"""Runbooks about work: each fault is caused, and each page followed to its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ogel.kernel.ids import new_id
from tests.support.night import ENDS, MENDED, QUIET, check_alerts, follow, raised
from tests.support.process import Client, Ogel, eventually
from tests.support.reading import Reading
from tests.support.receiver import Answer, Receiver

# One is too many.
ENVIRONMENT = {
    **QUIET,
    "OGEL_ALERT_DEAD_JOBS": "0",
    "OGEL_ALERT_OPEN_BREAKERS": "0",
    "OGEL_WEBHOOK_PROBE_SECONDS": "1",
}


@pytest.fixture
def connection(suite_servers: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def test_the_index(suite: Ogel, tmp_path: Path) -> None:
    follow("README.md", Reading(), tmp_path, suite)


def test_an_endpoint_that_fails(suite: Ogel, api: Client, tmp_path: Path) -> None:
    mended = threading.Event()
    with Receiver(lambda _: Answer(204 if mended.is_set() else 503)) as receiver:
        shop = api.ok("POST", "/api/webhooks", {"url": receiver.url("/shop"), "events": ["order.*"]})["id"]
        events = [{"type": "order.created", "data": n} for n in range(12)]
        published = [each["id"] for each in api.ok("POST", "/api/events", events)]
        path = f"/api/webhooks/{shop}"
        eventually(lambda: api.ok("GET", path)["health"]["state"] == "open", 30, "the breaker to open")
        check_alerts(api)
        assert raised(api) == {"webhooks.breakers": "docs/runbooks/endpoint-failing.md"}

        def well() -> None:
            eventually(lambda: api.ok("GET", path)["health"]["state"] == "half_open", 20, "a probe")

        reading = Reading(
            instead={"wh_01m8488xbxfkttz03623x3kycq": shop},
            before={
                "ogel webhooks resume": mended.set,
                "ogel webhooks list  # half_open": well,
                MENDED: lambda: check_alerts(api),
            },
            ends=ENDS,
        )
        follow("endpoint-failing.md", reading, tmp_path, suite)
        receiver.wait_for_ids(published, 20)
        api.ok("DELETE", path)


def test_dead_jobs(suite: Ogel, api: Client, connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    """Somebody has forbidden by a trigger what they do."""
    connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'keep these'; END $$"
    )
    tables = {
        "health_checks": "INSERT INTO health_checks VALUES (now() - interval '9 days', 'healthy', '{}')",
        "resource_samples": "INSERT INTO resource_samples (name, sampled_at, labels, value) "
        "VALUES ('old', now() - interval '99 days', '{}', 1)",
    }
    for table, old_row in tables.items():
        connection.execute(f"CREATE TRIGGER refuse BEFORE DELETE ON {table} EXECUTE FUNCTION refuse()")
        connection.execute(old_row)
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts) "
            "VALUES (%s, 'cleanup', 'cleanup.purge', %s, 1)",
            (new_id("job"), Jsonb({"what": table})),
        )
    dead = "SELECT id FROM job_queue WHERE status = 'dead'"
    eventually(lambda: len(connection.execute(dead).fetchall()) == 2, 30, "the jobs to die")
    check_alerts(api)
    assert raised(api) == {"jobs.dead": "docs/runbooks/dead-jobs.md"}
    [(one,), _] = connection.execute(dead).fetchall()

    def well() -> None:
        eventually(
            lambda: (
                connection.execute("SELECT 1 FROM job_queue WHERE kind = 'cleanup.purge'").fetchone() is None
            ),
            20,
            "the jobs to be done",
        )

    reading = Reading(
        instead={"job_01m8488xbxfkttz03623x3kycq": one},
        before={
            "ogel jobs retry job": lambda: connection.execute("DROP FUNCTION refuse CASCADE"),
            "ogel jobs list --queue cleanup --status dead  #": well,
            MENDED: lambda: check_alerts(api),
        },
        ends=ENDS,
    )
    follow("dead-jobs.md", reading, tmp_path, suite)
    left = "SELECT count(*) FROM resource_samples WHERE name = 'old'"
    assert connection.execute(left).fetchone() == (0,)


def test_what_is_deleted_stays_in_the_store(
    suite: Ogel, api: Client, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """The queue that deletes is paused, for hours."""
    boundary = {"content-type": "application/octet-stream"}
    assert api("POST", "/storage/v1/bucket", {"id": "photos", "name": "photos"}).status == 200
    assert api("POST", "/storage/v1/object/photos/a.jpg", raw=b"x" * 1000, headers=boundary).status == 200
    api.ok("POST", "/api/queues/cleanup/pause")
    assert api("DELETE", "/storage/v1/object/photos/a.jpg").status == 200
    api.ok("POST", "/api/schedules/cleanup.events/run")
    connection.execute("UPDATE paused_queues SET paused_at = now() - interval '2 hours'")
    connection.execute("UPDATE storage_blobs SET until = now() - interval '2 hours' WHERE state = 'deleting'")
    check_alerts(api)
    assert raised(api) == {"storage.reaping": "docs/runbooks/storage-reaping.md"}

    def well() -> None:
        gone = "SELECT 1 FROM storage_blobs WHERE state = 'deleting'"
        eventually(lambda: connection.execute(gone).fetchone() is None, 20, "the reaper")

    reading = Reading(
        before={"ogel storage verify": well, MENDED: lambda: check_alerts(api)},
        ends={**ENDS, "ogel doctor": 1},
    )
    follow("storage-reaping.md", reading, tmp_path, suite)


def test_a_leaked_key(suite: Ogel, api: Client, tmp_path: Path) -> None:
    """Whoever found it has made a key and an endpoint of their own with it."""
    shop = api.ok("POST", "/api/keys", {"name": "shop", "scopes": ["keys:*", "webhooks:*", "events:*"]})
    thief = Client(suite.port, shop["key"])
    made = thief.ok("POST", "/api/keys", {"name": "mine", "scopes": ["events:read"]})
    hook = thief.ok("POST", "/api/webhooks", {"url": "https://thief.example.com/", "events": ["*"]})["id"]
    reading = Reading(
        instead={
            "key_01m8488xbxfkttz03623x3kycq": shop["id"],
            "key_01m848a0v5fb1t9pq2m7d3x6ce": made["id"],
            "wh_01m8488xbxfkttz03623x3kycq": hook,
        },
        environment={"LEAKED": shop["key"]},
    )
    said = follow("leaked-key.md", reading, tmp_path, suite)
    assert said == ["variable set OGEL_ADMIN_KEY --stdin --service api"]
    for key in (shop["key"], made["key"]):
        assert api("GET", "/api/me", key=key).status == 401
    assert api("GET", f"/api/webhooks/{hook}").status == 404
