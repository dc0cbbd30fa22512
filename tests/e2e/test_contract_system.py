"""/health, /api/health, /api/metrics, /metrics, /api/audit-logs, /openapi.json: what an operator looks at."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import redis

from tests.support.contract import all_pages, assert_problem, settled
from tests.support.process import Client, Ogel, eventually
from tests.support.prometheus import read_metrics
from tests.support.receiver import Receiver

# As if it had been published longer ago than the retention settings keep anything.
AGE = (
    "UPDATE events SET created_at = created_at - interval '31 days' WHERE id = ANY (%(ids)s)",
    "UPDATE webhook_deliveries SET finished_at = finished_at - interval '31 days' WHERE event_id = ANY (%(ids)s)",
)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/api/health", "/openapi.json"])
def test_open_routes_need_no_key(suite: Ogel, path: str) -> None:
    assert Client(suite.port, key="")("GET", path).status == 200


def test_health_names_what_ogel_leans_on(api: Client) -> None:
    health = api.ok("GET", "/api/health")
    assert health["status"] == "healthy"
    assert health["checks"] == {"postgres": True, "redis": True}
    assert health["timestamp"].endswith("Z")


def test_without_redis_it_is_degraded_and_still_delivers(tmp_path: Path, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, Receiver() as receiver:
        # Accepts connections, or leaves them in the backlog, and never answers: worse than a refusal.
        redis_url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_DRAIN_SECONDS": "1"}
        with Ogel("api", "--with", "worker,realtime", log=tmp_path / "ogel.log", **environment) as ogel:
            api = ogel.api
            health = api("GET", "/api/health")
            assert health.status == 200
            assert health.json["status"] == "degraded"
            assert health.json["checks"] == {"postgres": True, "redis": False}
            assert api("GET", "/health/ready").status == 200
            api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["*"]})
            event = api.ok("POST", "/api/events", {"type": "no.bell", "data": 0})
            receiver.wait_for_ids([event["id"]], 10)
            settled(api, event["id"], "delivered")
            assert api.ok("GET", "/api/metrics")["redis"] is None
            assert {queue["workers"] for queue in api.ok("GET", "/api/queues")["items"]} == {None}
            assert api("GET", "/metrics").status == 200


def test_connections_say_whose_they_are(tmp_path: Path, suite: Ogel, suite_servers: dict[str, str]) -> None:
    with (
        Ogel("worker", "webhooks", log=tmp_path / "worker.log", **suite_servers),
        psycopg.connect(suite_servers["DATABASE_URL"]) as connection,
    ):
        names = connection.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    assert {name for (name,) in names} == {"ogel api,worker,scheduler,realtime", "ogel worker-webhooks"}


def test_metrics_for_people(api: Client, suite_servers: dict[str, str]) -> None:
    metrics = api.ok("GET", "/api/metrics")
    assert {"system", "database", "redis", "queues"} <= set(metrics)
    assert metrics["system"]["memory_bytes"] > 1_000_000
    assert metrics["system"]["uptime_seconds"] >= 0
    assert metrics["database"]["connections"] >= 1
    assert metrics["database"]["database_size"] > 0
    assert metrics["redis"]["connected_clients"] >= 1
    with redis.Redis.from_url(suite_servers["REDIS_URL"]) as client:
        own = client.info("server")
    assert metrics["redis"]["server"] == own.get("server_name", "redis")
    assert metrics["redis"]["version"] == own.get("valkey_version", own["redis_version"])
    assert set(metrics["queues"]["webhooks"]) == {"pending", "running", "held", "dead", "oldest_seconds"}


def test_metrics_for_prometheus(api: Client) -> None:
    with Receiver() as receiver:
        api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["metric.*"]})
        event = api.ok("POST", "/api/events", {"type": "metric.up", "data": 0})
        settled(api, event["id"], "delivered")
    assert_problem(api("GET", "/api/webhooks/%2e%2e"), 404)
    scraped = api("GET", "/metrics")
    assert scraped.headers["content-type"].startswith("text/plain")
    families = read_metrics(scraped.raw.decode())

    def value(family: str, **labels: str) -> float:
        wanted = [s.value for s in families[family].samples if labels.items() <= s.labels.items()]
        return sum(wanted)

    assert value("ogel_http_requests", route="/api/events", method="POST", status="202") >= 1
    assert value("ogel_jobs_finished", kind="webhooks.deliver", verdict="done") >= 1
    assert value("ogel_webhook_attempts", outcome="delivered", reason="") >= 1
    assert value("ogel_cluster_queue_jobs", queue="webhooks", status="dead") == 0
    assert value("process_resident_memory_bytes") > 1_000_000
    assert value("process_cpu_seconds") > 0 and families["process_cpu_seconds"].type == "counter"
    assert value("process_start_time_seconds") > 1_700_000_000
    assert 0 < value("process_open_fds") < value("process_max_fds")
    assert {s.labels["route"] for s in families["ogel_http_requests"].samples if "route" in s.labels} >= {
        "/api/webhooks/{id}"
    }


def test_audit_records_are_found_by_every_filter(api: Client) -> None:
    before = api.ok("GET", "/api/health")["timestamp"]
    hook = api("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["a.b"]}).json
    api.ok("PATCH", f"/api/webhooks/{hook['id']}", {"description": "1"})
    after = api.ok("GET", "/api/health")["timestamp"]
    api.ok("PATCH", f"/api/webhooks/{hook['id']}", {"description": "2"})
    mine = {"resource_id": hook["id"], "resource_type": "webhook"}
    assert len(all_pages(api, "/api/audit-logs", 2, **mine)) == 3
    assert len(all_pages(api, "/api/audit-logs", 2, **mine, action="webhook.update")) == 2
    assert len(all_pages(api, "/api/audit-logs", 2, **mine, since=before, until=after)) == 2
    assert all_pages(api, "/api/audit-logs", 2, **mine, until=before) == []
    assert all_pages(api, "/api/audit-logs", 2, **mine, actor="key_nobody") == []
    assert_problem(api("GET", "/api/audit-logs?since=yesterday"), 422, "query.since")
    assert_problem(api("GET", "/api/audit-logs?since=2026-01-01T00:00:00"), 422, "query.since")


def test_audit_records_say_who_asked_from_where(api: Client) -> None:
    headers = {
        "user-agent": "hostile/1.0 " + "x" * 2000,
        "x-request-id": "my-request_1",
        "x-real-ip": "8.8.8.8",
    }
    sent = api("POST", "/api/events", {"type": "a.b", "data": 0}, headers=headers)
    assert sent.headers["x-request-id"] == "my-request_1"
    [record] = api.ok("GET", f"/api/audit-logs?resource_id={sent.json['id']}")["items"]
    assert record["request_id"] == "my-request_1"
    assert record["ip_address"] == "127.0.0.1"  # loopback is no trusted proxy
    assert record["user_agent"].startswith("hostile/1.0 xxx")
    assert len(record["user_agent"]) == 512
    assert record["user_id"] is None


def test_retention_forgets_what_is_old_and_over(suite_servers: dict[str, str], api: Client) -> None:
    """Old and delivered goes; old and waiting stays; new stays."""
    with Receiver() as receiver:
        hook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["old.*"]})
        gone, new = (api.ok("POST", "/api/events", {"type": "old.a", "data": n})["id"] for n in range(2))
        for id in (gone, new):
            settled(api, id, "delivered")
        api.ok("PATCH", f"/api/webhooks/{hook['id']}", {"state": "paused"})
        waiting = api.ok("POST", "/api/events", {"type": "old.a", "data": 2})["id"]
    with psycopg.connect(suite_servers["DATABASE_URL"]) as connection:
        for statement in AGE:
            connection.execute(statement, {"ids": [gone, waiting]})
    for schedule in ("cleanup.deliveries", "cleanup.events"):
        assert api("POST", f"/api/schedules/{schedule}/run").status == 202
    eventually(lambda: api("GET", f"/api/events/{gone}").status == 404, 10, "the old event to be forgotten")
    assert_problem(api("GET", f"/api/deliveries?event={gone}"), 422, "query.event")
    for id in (new, waiting):
        assert api.ok("GET", f"/api/events/{id}")["id"] == id
        assert len(api.ok("GET", f"/api/deliveries?event={id}")["items"]) == 1
    api.ok("DELETE", f"/api/webhooks/{hook['id']}")


def test_a_refused_change_leaves_no_record(api: Client) -> None:
    def changes() -> int:
        records = all_pages(api, "/api/audit-logs", 100)
        return sum(record["action"] != "key.use" for record in records)

    count = changes()
    assert_problem(api("POST", "/api/webhooks", {"url": "ftp://x/", "events": ["a.b"]}), 422, "body.url")
    assert_problem(api("DELETE", "/api/webhooks/wh_unknown"), 404)
    assert changes() == count


def test_the_log_is_json_and_holds_no_key(suite: Ogel) -> None:
    suite.api.ok("GET", f"/api/events?subject={quote('a subject nobody should read')}")
    lines = eventually(
        lambda: [
            line
            for line in map(json.loads, suite.log_text().splitlines())
            if line.get("path") == "/api/events"
        ],
        5,
        "the access log",
    )
    assert {"level", "message", "time", "request_id", "status", "ms"} <= set(lines[-1])
    assert "nobody should read" not in suite.log_text()
    assert "test-admin-key" not in suite.log_text()


def test_openapi_lists_every_route_of_the_contract(api: Client) -> None:
    document = api.ok("GET", "/openapi.json")
    assert document["openapi"].startswith("3.1")
    operations = {
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
    }
    assert operations >= {
        "GET /api/health",
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
        "GET /api/metrics",
        "POST /api/events",
        "GET /api/events",
        "GET /api/events/{id}",
        "POST /api/webhooks",
        "GET /api/webhooks",
        "GET /api/webhooks/{id}",
        "PATCH /api/webhooks/{id}",
        "DELETE /api/webhooks/{id}",
        "POST /api/webhooks/{id}/test",
        "POST /api/test-webhook",
        "GET /api/deliveries",
        "GET /api/deliveries/{id}",
        "POST /api/deliveries/{id}/retry",
        "GET /api/queues",
        "GET /api/jobs",
        "POST /api/jobs/{id}/retry",
        "DELETE /api/jobs/{id}",
        "GET /api/audit-logs",
        "GET /api/schedules",
        "POST /api/schedules",
        "GET /api/schedules/{name}",
        "PATCH /api/schedules/{name}",
        "DELETE /api/schedules/{name}",
        "POST /api/schedules/{name}/pause",
        "POST /api/schedules/{name}/resume",
        "POST /api/schedules/{name}/run",
        "GET /api/cleanup",
        "POST /api/cleanup/{kind}/run",
    }
