"""/api/databases: registering databases, watching them, and looking into them, on real servers."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql
from redis import Redis

from tests.support.cli import ogel_here
from tests.support.contract import all_pages, assert_problem
from tests.support.outside import PASSWORD, Outside, an_outside_database, register, slug
from tests.support.process import Client, Ogel, eventually, free_port

ENVIRONMENT = {"OGEL_SCHEDULES": "databases.check_all=* * * * *"}


@pytest.fixture
def outside(suite_servers: dict[str, str]) -> Iterator[Outside]:
    with an_outside_database(suite_servers["DATABASE_URL"]) as outside:
        yield outside


def checked(api: Client, id: str, state: str, since: Any = None, seconds: float = 25.0) -> Any:
    """The database, once a check later than `since` found it so."""

    def ask() -> Any:
        found = api.ok("GET", f"/api/databases/{id}")
        check = found["check"]
        return check["state"] == state and check["checked_at"] != since and found

    return eventually(ask, seconds, f"{id} to be {state}")


def events(api: Client, type: str, id: str) -> list[Any]:
    return all_pages(api, "/api/events", 100, type=type, subject=id)


def test_a_postgresql_database_is_registered_checked_and_measured(
    api: Client, outside: Outside, suite: Ogel
) -> None:
    outside.execute("CREATE TABLE orders AS SELECT n FROM generate_series(1, 1000) AS n", "ANALYZE orders")
    created = api(
        "POST", "/api/databases", {"name": "orders-eu", **outside.parts, "labels": {"team": "shop"}}
    )
    assert created.status == 201
    database = created.json
    assert database["id"].startswith("dbs_")
    assert (database["password_hint"], database["ssl_mode"]) == ("****r2", "prefer")
    assert database["check"]["state"] == "unknown"
    found = checked(api, database["id"], "reachable")
    assert found["check"]["server_version"]
    assert 0 < found["check"]["latency_seconds"] < 5
    assert found["check"]["error"] is None
    assert api.ok("GET", "/api/databases/orders-eu") == found
    assert found in api.ok("GET", "/api/databases?type=postgresql&state=reachable&limit=100")["items"]

    measured = api.ok("GET", f"/api/databases/{database['id']}/stats")
    assert measured["error"] is None and measured["measured_at"] is not None
    stats = measured["stats"]
    assert stats["size_bytes"] > 1_000_000
    assert sum(stats["connections"].values()) >= 1
    assert stats["max_connections"] > 1
    assert 0 <= stats["cache_hit_ratio"] <= 1
    assert stats["transaction_id_age"] >= 0
    assert stats["dead_rows"] >= 0
    assert [table["name"] for table in stats["largest_tables"]] == ["orders"]

    # Asked for again, it is looked at again.
    assert api("POST", "/api/databases/orders-eu/check").status == 202
    checked(api, database["id"], "reachable", since=found["check"]["checked_at"])
    metrics = suite.api("GET", "/metrics").raw.decode()
    assert 'ogel_cluster_database_up{database="orders-eu",type="postgresql"} 1.0' in metrics
    assert 'ogel_database_checks_total{outcome="reached",type="postgresql"}' in metrics
    actions = [r["action"] for r in all_pages(api, "/api/audit-logs", 100, resource_id=database["id"])]
    assert actions == ["database.check", "database.create"]
    api.ok("DELETE", f"/api/databases/{database['id']}")
    assert_problem(api("GET", "/api/databases/orders-eu"), 404)
    assert outside.rows("SELECT count(*) FROM orders") == [(1000,)]


def test_an_outage_is_told_and_so_is_its_end(api: Client, outside: Outside) -> None:
    database = register(api, **outside.parts)
    id = database["id"]
    since = checked(api, id, "reachable")["check"]["checked_at"]
    outside_of = urlsplit(outside.url)
    with psycopg.connect(urlunsplit(outside_of._replace(path="/postgres")), autocommit=True) as connection:
        # Its owner may close it to everyone.
        connection.execute(
            sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 0").format(sql.Identifier(outside.name))
        )
        api.ok("POST", f"/api/databases/{id}/check")
        away = checked(api, id, "unreachable", since)
        assert "too many connections" in away["check"]["error"]
        assert away["check"]["failures"] == 1
        assert api.ok("GET", f"/api/databases/{id}/stats")["stats"]["size_bytes"] > 0
        api.ok("POST", f"/api/databases/{id}/check")
        again = checked(api, id, "unreachable", away["check"]["checked_at"])
        assert again["check"]["failures"] == 2 and again["check"]["since"] == away["check"]["since"]
        connection.execute(
            sql.SQL("ALTER DATABASE {} CONNECTION LIMIT -1").format(sql.Identifier(outside.name))
        )
    api.ok("POST", f"/api/databases/{id}/check")
    checked(api, id, "reachable")
    [told] = events(api, "database.unreachable", id)
    assert told["data"] == {"database": id, "name": database["name"]}
    [recovered] = events(api, "database.recovered", id)
    assert recovered["data"]["unreachable_since"] == away["check"]["since"]
    api.ok("DELETE", f"/api/databases/{id}")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password": "not-the-password-at-all"}, "password authentication failed"),
        ({"database": "nothing-here"}, "does not exist"),
        ({"ssl_mode": "require"}, "server does not support SSL"),
    ],
)
def test_what_is_refused_is_told_at_once(api: Client, outside: Outside, wrong: Any, says: str) -> None:
    database = register(api, **{**outside.parts, **wrong})
    found = checked(api, database["id"], "unreachable")
    assert says in found["check"]["error"]
    assert "not-the-password" not in json.dumps(found)
    api.ok("DELETE", f"/api/databases/{database['id']}")


def test_a_server_that_is_stopped_is_an_error_that_says_so(api: Client) -> None:
    place = {"host": "127.0.0.1", "username": "who", "password": PASSWORD}
    stopped = [
        register(api, type=type, port=free_port(), **place) for type in ("postgresql", "redis", "mongodb")
    ]
    for database in stopped:
        found = checked(api, database["id"], "unreachable")
        assert "refused" in found["check"]["error"].lower()
        assert PASSWORD not in json.dumps(found)
        assert len(events(api, "database.unreachable", database["id"])) == 1
        api.ok("DELETE", f"/api/databases/{database['id']}")


def test_a_server_that_says_nothing_does_not_hold_up_the_others(api: Client, outside: Outside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        dead = [register(api, type="postgresql", host="127.0.0.1", port=port) for _ in range(5)]
        began = time.monotonic()
        database = register(api, **outside.parts)
        checked(api, database["id"], "reachable")
        assert time.monotonic() - began < 4.0  # each of the silent ones is waited for 5 s
        for each in [*dead, database]:
            api.ok("DELETE", f"/api/databases/{each['id']}")


def test_redis_is_checked_and_measured(api: Client, suite_servers: dict[str, str]) -> None:
    database = register(api, url=suite_servers["REDIS_URL"])
    found = checked(api, database["id"], "reachable")
    with Redis.from_url(suite_servers["REDIS_URL"]) as client:
        own = client.info("server")
    assert found["type"] == "redis"
    assert found["check"]["server_version"] == own.get("valkey_version", own["redis_version"])
    stats = api.ok("GET", f"/api/databases/{database['id']}/stats")["stats"]
    assert stats["server"] == own.get("server_name", "redis")
    assert stats["used_memory"] > 0 and stats["connected_clients"] >= 1 and "maxmemory_policy" in stats
    moved = api.ok("PATCH", f"/api/databases/{database['id']}", {"password": "wrong-wrong-wrong-wrong"})
    assert moved["check"]["state"] == "unknown"
    found = checked(api, database["id"], "unreachable")
    assert "wrong-wrong" not in json.dumps(found)
    api.ok("DELETE", f"/api/databases/{database['id']}")


@pytest.mark.skipif(
    "OGEL_TEST_MONGODB_URL" not in os.environ, reason="OGEL_TEST_MONGODB_URL names no MongoDB"
)
def test_mongodb_is_checked_and_measured(api: Client) -> None:
    database = register(api, url=os.environ["OGEL_TEST_MONGODB_URL"])
    found = checked(api, database["id"], "reachable")
    assert found["check"]["server_version"]
    assert api.ok("GET", f"/api/databases/{database['id']}/stats")["stats"]["collections"] >= 0
    api.ok("DELETE", f"/api/databases/{database['id']}")


def test_what_a_database_holds_is_read_page_by_page(api: Client, outside: Outside) -> None:
    outside.execute(
        "CREATE SCHEMA shop",
        """CREATE TABLE shop."Odd ' name" (id int PRIMARY KEY, note text DEFAULT 'x')""",
        "COMMENT ON COLUMN shop.\"Odd ' name\".note IS 'why'",
        *(f"CREATE TABLE t{n} (a int, b text NOT NULL)" for n in range(5)),
        "CREATE VIEW shop.seen AS SELECT 1 AS one",
    )
    database = register(api, **outside.parts)
    one = f"/api/databases/{database['id']}"
    assert [each["name"] for each in all_pages(api, one + "/schemas", 1)] == ["public", "shop"]
    tables = all_pages(api, one + "/tables", 2)
    assert [f"{t['schema']}.{t['name']}" for t in tables] == [
        *(f"public.t{n}" for n in range(5)),
        "shop.Odd ' name",
        "shop.seen",
    ]
    assert [t["kind"] for t in all_pages(api, one + "/tables", 9, schema="shop")] == ["table", "view"]
    columns = all_pages(api, one + "/columns", 3)
    assert len(columns) == 13
    odd = all_pages(api, one + "/columns", 9, schema="shop", table="Odd ' name")
    assert [(c["name"], c["type"], c["nullable"], c["comment"]) for c in odd] == [
        ("id", "integer", False, None),
        ("note", "text", True, "why"),
    ]
    assert odd[1]["default"] == "'x'::text"
    [index] = all_pages(api, one + "/indexes", 5)
    assert index["primary"] and index["unique"] and index["valid"]
    extensions = all_pages(api, one + "/extensions", 50)
    assert "plpgsql" in {each["name"] for each in extensions if each["installed_version"]}
    # Names are parameters: this one is nobody's.
    assert all_pages(api, one + "/tables", 9, schema="x'; DROP SCHEMA shop CASCADE; --") == []
    assert_problem(api("GET", one + "/tables?after=WyJhIl0"), 400, "query.after")
    api.ok("DELETE", one)


def test_what_cannot_be_asked_is_a_problem_that_says_why(api: Client, suite_servers: dict[str, str]) -> None:
    dead = register(api, type="postgresql", host="127.0.0.1", port=free_port())
    for _ in range(5):
        answer = api("GET", f"/api/databases/{dead['id']}/tables")
        assert "refused" in assert_problem(answer, 503)["detail"].lower()
    # Enough: it is left alone, and nobody waits for it.
    answer = api("GET", f"/api/databases/{dead['id']}/tables")
    assert "left alone" in assert_problem(answer, 503)["detail"]
    assert 0 < int(answer.headers["retry-after"]) <= 30
    redis = register(api, url=suite_servers["REDIS_URL"])
    assert_problem(api("GET", f"/api/databases/{redis['id']}/tables"), 422, "path.id")
    files = [{"name": "0001_a.sql", "sql": "SELECT 1"}]
    assert_problem(api("POST", f"/api/databases/{redis['id']}/migrations", {"files": files}), 422, "path.id")
    assert_problem(api("GET", "/api/databases/nobody/tables"), 404)
    for each in (dead, redis):
        api.ok("DELETE", f"/api/databases/{each['id']}")


HOST = {"type": "postgresql", "host": "db.internal"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body.type"),
        ({"type": "postgresql"}, "body.host"),
        ({**HOST, "type": "mysql"}, "body.type"),
        ({**HOST, "name": "Has Space"}, "body.name"),
        ({**HOST, "name": "a_b"}, "body.name"),
        ({**HOST, "name": "ok\n"}, "body.name"),
        ({**HOST, "host": "/var/run/postgresql"}, "body.host"),
        ({**HOST, "host": "a,b"}, "body.host"),
        ({**HOST, "host": "a b"}, "body.host"),
        ({**HOST, "host": "\U0001f4a9.la"}, "body.host"),
        ({**HOST, "host": "a\u200db.example"}, "body.host"),
        ({**HOST, "host": "ü" * 200}, "body.host"),
        ({**HOST, "host": "\uff11\uff16\uff19.254.169.254"}, "body.host"),
        ({"type": "postgresql", "url": "postgresql://\uff11\uff16\uff19.254.169.254/d"}, "body.url"),
        ({**HOST, "port": 0}, "body.port"),
        ({**HOST, "port": 65536}, "body.port"),
        ({**HOST, "database": "a\x00b"}, "body.database"),
        ({**HOST, "password": "a\x00b"}, "body.password"),
        ({**HOST, "username": ""}, "body.username"),
        ({**HOST, "ssl_mode": "maybe"}, "body.ssl_mode"),
        ({**HOST, "more": 1}, "body.more"),
        ({**HOST, "labels": {"a": 1}}, "body.labels[...]"),
        ({**HOST, "url": "postgresql://h/d"}, "body.host"),
        ({"url": "postgresql://h/d", "type": "redis"}, "body.type"),
        ({"url": "mysql://h/d"}, "body.url"),
        ({"url": "postgresql://u:secret-secret@h:99999/d"}, "body.url"),
        ({"url": "postgresql://u:secret-secret@/d"}, "body.url"),
        ({"url": "postgresql://u:secret-secret@h/d?options=-c%20x"}, "body.url"),
        ({"url": "postgresql://u:secret-secret@h/d?sslmode=allow"}, "body.url"),
        ({"url": "postgresql://u:secret%00secret@h/d"}, "body.url"),
        ({"url": "postgresql://u:secret-secret@[::1/d"}, "body.url"),
        ({"url": "redis://h/first"}, "body.url"),
        ({"type": "redis", "host": "h", "database": "first"}, "body.database"),
        ({"type": "redis", "host": "h", "ssl_mode": "prefer"}, "body.ssl_mode"),
        ({"type": "mongodb", "host": "h", "database": "a/b"}, "body.database"),
        ({"type": "mongodb", "host": "h", "password": "secret-secret"}, "body.username"),
        ({**HOST, "host": "169.254.169.254"}, "body.host"),
        ({**HOST, "host": "fd00:ec2::254"}, "body.host"),
        ({**HOST, "host": "::ffff:169.254.169.254"}, "body.host"),
        ({**HOST, "host": "0.0.0.0"}, "body.host"),
        ({"url": "postgresql://u:secret-secret@169.254.169.254/d"}, "body.url"),
        ({"url": "redis://[fe80::1]/0"}, "body.url"),
    ],
)
def test_a_wrong_database_is_refused_by_field(api: Client, body: Any, path: str) -> None:
    answer = api("POST", "/api/databases", {"name": slug(), **body})
    assert_problem(answer, 422, path)
    assert b"secret-secret" not in answer.raw


def test_a_host_that_resolves_to_metadata_is_not_connected_to(api: Client) -> None:
    """A number is a name to those who resolve it: this one is 169.254.169.254."""
    database = register(api, type="postgresql", host="2852039166", port=80)
    found = checked(api, database["id"], "unreachable")
    assert "not allowed" in found["check"]["error"]
    assert "169" not in found["check"]["error"]
    api.ok("DELETE", f"/api/databases/{database['id']}")


def test_a_stored_password_goes_to_no_other_server(api: Client, outside: Outside) -> None:
    database = register(api, **outside.parts)
    one = f"/api/databases/{database['id']}"
    checked(api, database["id"], "reachable")
    for change in ({"host": "127.0.0.2"}, {"port": free_port()}, {"ssl_mode": "disable"}):
        assert_problem(api("PATCH", one, change), 422, "body.password")
    assert_problem(api("PATCH", one, {"url": outside.url, "port": 1}), 422, "body.port")
    assert_problem(api("PATCH", one, {"url": "redis://127.0.0.1"}), 422, "body.url")
    named = slug()
    changed = api.ok("PATCH", one, {"name": named, "labels": {"a": "b"}, "host": outside.host})
    assert (changed["name"], changed["labels"]) == (named, {"a": "b"})
    other = register(api, type="redis", host="127.0.0.1", port=free_port())
    assert_problem(api("PATCH", one, {"name": other["name"]}), 409)
    assert_problem(api("POST", "/api/databases", {"name": named, **outside.parts}), 409)
    moved = api.ok("PATCH", one, {"ssl_mode": "disable", "password": PASSWORD})
    assert moved["ssl_mode"] == "disable"
    checked(api, database["id"], "reachable")
    forgotten = api.ok("PATCH", one, {"password": None, "port": free_port()})
    assert forgotten["password_hint"] is None
    for each in (database, other):
        api.ok("DELETE", f"/api/databases/{each['id']}")


def test_scopes(api: Client, suite: Ogel, suite_servers: dict[str, str]) -> None:
    made = ogel_here("keys", "create", "reader", "--scope", "databases:read", "--json", **suite_servers)
    reader = json.loads(made.out)["key"]
    assert api("GET", "/api/databases", key=reader).status == 200
    assert_problem(api("POST", "/api/databases", {"name": slug(), **HOST}, key=reader), 403)
    database = register(api, **HOST)
    one = f"/api/databases/{database['id']}"
    for method, path in (
        ("DELETE", one),
        ("PATCH", one),
        ("POST", one + "/check"),
        ("POST", one + "/migrations"),
    ):
        assert_problem(api(method, path, {}, key=reader), 403)
    api.ok("DELETE", one)


def test_every_database_is_checked_by_schedule(api: Client, outside: Outside) -> None:
    database = register(api, **outside.parts)
    since = checked(api, database["id"], "reachable")["check"]["checked_at"]
    [schedule] = [
        s for s in api.ok("GET", "/api/schedules?limit=100")["items"] if s["name"] == "databases.check_all"
    ]
    assert schedule["cron"] == "* * * * *"
    api.ok("POST", "/api/schedules/databases.check_all/run")
    checked(api, database["id"], "reachable", since)
    api.ok("DELETE", f"/api/databases/{database['id']}")


def test_credentials_are_nowhere_to_be_read(
    api: Client, outside: Outside, suite: Ogel, suite_servers: dict[str, str]
) -> None:
    database = register(api, **outside.parts)
    checked(api, database["id"], "reachable")
    wrong = register(api, **{**outside.parts, "password": f"{PASSWORD}-wrong"})
    checked(api, wrong["id"], "unreachable")
    one = f"/api/databases/{database['id']}"
    answers = [
        api("GET", path).raw.decode()
        for path in (
            "/api/databases",
            one,
            one + "/stats",
            "/api/audit-logs",
            "/api/jobs",
            "/api/events",
            "/metrics",
        )
    ]
    assert all(PASSWORD not in answer for answer in answers)
    assert PASSWORD not in suite.log_text()
    with psycopg.connect(suite_servers["DATABASE_URL"]) as connection:
        for table in ("platform_databases", "platform_database_health", "job_queue", "audit_logs", "events"):
            rows = connection.execute(
                sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))
            ).fetchall()
            assert all(PASSWORD not in row[0] and PASSWORD.encode().hex() not in row[0] for row in rows)
    for each in (database, wrong):
        api.ok("DELETE", f"/api/databases/{each['id']}")
