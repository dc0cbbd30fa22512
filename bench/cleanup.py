"""Cleanup beside a busy API: a million expired rows go while 300 requests a second are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import uvloop

from bench.figures import Figure, latencies
from bench.latency import REQUESTS_PER_SECOND
from bench.load import Call, in_another_process
from bench.world import Trial
from tests.support.process import Ogel, eventually

ROWS, QUICK_ROWS = 1_000_000, 60_000
# Deliveries before events: those wait for them.
KINDS = ("deliveries", "events", "audit_logs")
P99_MILLISECONDS = 50.0
DEADLINE_SECONDS = 900.0


def measure(trial: Trial) -> Iterator[Figure]:
    rows, seconds = (QUICK_ROWS, 5.0) if trial.quick else (ROWS, 30.0)
    with trial.machine() as here, here.ogel("api") as api, here.ogel("worker", "cleanup"):
        each = rows // len(KINDS)
        _fill(here.database_url, each)
        yield from _latencies(f"{REQUESTS_PER_SECOND:g} requests/s, no cleanup", _load(api, seconds))
        began = time.monotonic()
        for kind in KINDS:
            api.api.ok("POST", f"/api/cleanup/{kind}/run")
        calls = _load(api, seconds)
        still_at_it = any(run["status"] == "running" for run in _runs(api).values())
        name = "during cleanup" if still_at_it else "cleanup was over before"
        yield from _latencies(f"{REQUESTS_PER_SECOND:g} requests/s, {name}", calls, P99_MILLISECONDS)
        eventually(lambda: not _running(api), DEADLINE_SECONDS, "everything to be deleted")
        deleted = sum(run["deleted"] for run in _runs(api).values())
        assert deleted == len(KINDS) * each, f"{deleted} were deleted, and {each} of each kind were old"
        took = time.monotonic() - began
        yield Figure(f"{deleted:,} rows deleted, most of the time left to others", took, "s")
        yield Figure("rows deleted", deleted / took, "/s")


def _latencies(name: str, calls: list[Call], p99_at_most: float | None = None) -> Iterator[Figure]:
    for kind, what in (("read", "read an event by id"), ("publish", "publish an event")):
        waits = [call.answered - call.asked for call in calls if call.kind == kind]
        yield from latencies(f"{name}, {what}", waits, p99_at_most)


def _load(api: Ogel, seconds: float) -> list[Call]:
    return uvloop.run(_loaded(api, seconds))


async def _loaded(api: Ogel, seconds: float) -> list[Call]:
    async with asyncio.timeout(seconds + 60):
        return await in_another_process(api.port, REQUESTS_PER_SECOND, seconds, reads=0.5)


def _runs(api: Ogel) -> Mapping[str, Any]:
    found = api.api.ok("GET", "/api/cleanup")["items"]
    return {each["kind"]: each["last_run"] for each in found if each["kind"] in KINDS}


def _running(api: Ogel) -> bool:
    time.sleep(0.5)  # asking counts what is due, which is not what is measured
    return any(run["status"] != "completed" for run in _runs(api).values())


def _fill(database_url: str, each: int) -> None:
    """As if they had been made 40 and 100 days ago; hashes are not looked at by who deletes."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (
            "INSERT INTO events (id, type, data, created_at) SELECT 'old-' || n, 'bench.old', "
            """('{"text": "' || repeat('x', 200) || '"}')::json, now() - interval '40 days' + n * interval '10 ms' """
            "FROM generate_series(1, %(each)s) AS n",
            "INSERT INTO webhook_deliveries (id, event_id, webhook_id, status, attempts, finished_at) "
            "SELECT 'dlv_' || n, 'old-' || n, 'wh_bench', 'delivered', 1, "
            "now() - interval '40 days' + n * interval '10 ms' FROM generate_series(1, %(each)s) AS n",
            "INSERT INTO webhook_attempts (delivery_id, number, outcome, response_status, started_at) "
            "SELECT 'dlv_' || n, 1, 'delivered', 204, now() - interval '40 days' "
            "FROM generate_series(1, %(each)s) AS n",
            "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, created_at, chain_seq, hash) "
            "SELECT 'aud_' || lpad(n::text, 9, '0'), 'admin', 'event.publish', 'event', 'old-' || n, "
            "now() - interval '100 days' + n * interval '10 ms', n, sha256(n::text::bytea) "
            "FROM generate_series(1, %(each)s) AS n",
        ):
            connection.execute(statement, {"each": each})
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
