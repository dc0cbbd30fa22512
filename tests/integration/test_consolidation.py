"""`ogel consolidate` over projects on Railway, whose services answer as the real ones do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import psycopg
import pytest
import wcwidth

from ogel.adapters.storage.s3 import BucketObjects
from ogel.features.consolidation import patience, reading
from ogel.features.consolidation.wire import asking
from tests.support.cli import ogel_here
from tests.support.mongo import WANTS_LOGIN, Mongo
from tests.support.receiver import Answer, Receiver
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, Seaweed
from tests.support.suite_services import (
    as_json,
    gotrue,
    kong_admin,
    kong_proxy,
    postgres_meta,
    realtime,
    service,
    studio,
)
from tests.support.supabase_project import EMPTY_MONGO, SupabaseProject

# A public name that leads nowhere else than here, and where nobody answers.
NOBODY = "localhost"
SECRET = "a-secret-that-nobody-may-see-0123456789"
SUPABASE = """
CREATE SCHEMA auth; CREATE SCHEMA realtime; CREATE SCHEMA _realtime;
CREATE TABLE auth.users (id uuid PRIMARY KEY, last_sign_in_at timestamptz, created_at timestamptz);
CREATE TABLE auth.identities (id uuid PRIMARY KEY, provider text, created_at timestamptz);
CREATE TABLE realtime.subscription (id bigint PRIMARY KEY, created_at timestamp);
CREATE TABLE _realtime.tenants (id uuid PRIMARY KEY, updated_at timestamp);
INSERT INTO auth.users SELECT gen_random_uuid(), '2026-11-20T10:00:00Z', now() FROM generate_series(1, 4);
INSERT INTO auth.identities SELECT gen_random_uuid(), 'email', now() FROM generate_series(1, 4);
INSERT INTO realtime.subscription VALUES (1, now()), (2, now());
INSERT INTO _realtime.tenants VALUES (gen_random_uuid(), now());
"""


@pytest.fixture
def suite() -> Iterator[SupabaseProject]:
    with SupabaseProject() as suite:
        yield suite


async def put(seaweed: Seaweed, key: str) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"sand"

    objects = BucketObjects(seaweed.bucket)
    await objects.put(key, content(), 4)
    await objects.close()


def by_name(report: Mapping[str, Any]) -> dict[str, Any]:
    return {each["name"]: each for each in report["services"]}


def evidence(service: Mapping[str, Any], kind: str = "use") -> str:
    return "\n".join(f"{each['source']}: {each['asked']}: {each['answered']}" for each in service[kind])


def test_each_question_of_the_audit_has_another_answer(
    suite: SupabaseProject, seaweed: Seaweed, empty_database_url: str, tmp_path: Path
) -> None:
    """Nine services, which were never told apart by hand: what they are, who uses them, and what to do."""
    asyncio.run(put(seaweed, "beach.jpg"))
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(SUPABASE)
    database, store = urlsplit(empty_database_url), urlsplit(seaweed.bucket.endpoint)
    idle = {"MEMORY_USAGE_GB": 0.1, "CPU_USAGE": 0.001}
    postgres = suite.service(
        "Postgres",
        image="ghcr.io/railwayapp-templates/postgres-ssl:18",
        variables={"PGDATA": "/var/lib/postgresql/data", "DATABASE_URL": empty_database_url},
    )
    postgres.tcp_proxy(5432, "localhost", database.port)
    suite.service("Redis", image="railwayapp/redis:8.2", variables={"REDIS_PASSWORD": SECRET})
    suite.service(
        "Studio",
        studio(),
        3000,
        repo="acme/dashboard",
        variables={
            "SUPABASE_URL": "http://${{Kong.RAILWAY_PRIVATE_DOMAIN}}:8000",
            "GOTRUE_URL": "http://${{Auth.RAILWAY_PRIVATE_DOMAIN}}:9999",
            "DATABASE_URL": "${{Postgres.DATABASE_URL}}",
            "SUPABASE_SERVICE_KEY": SECRET,
        },
    )
    kong = suite.service(
        "Kong",
        kong_admin({"/auth/v1": "auth", "/realtime/v1": "realtime"}),
        8001,
        image="kong:3.9",
        metrics=idle,
    )
    kong.log('100.64.0.3 - - [29/Nov/2026:10:00:00 +0000] "GET /auth/v1/user HTTP/1.1" 200 312 "-" "node"')
    auth = suite.service(
        "Auth",
        gotrue(),
        9999,
        image="supabase/gotrue:v2.186.0",
        metrics=idle,
        variables={"GOTRUE_JWT_SECRET": SECRET},
    )
    auth.log(
        '{"component":"api","level":"info","method":"GET","path":"/user","status":200,"msg":"request completed"}'
    )
    meta = suite.service(
        "Postgres Meta", postgres_meta(), 8080, image="supabase/postgres-meta:v0.95.2", metrics=idle
    )
    meta.log('{"level":"info","method":"GET","url":"/health","status":200}')
    minio = suite.service(
        "MinIO",
        image="minio/minio:latest",
        metrics=idle,
        variables={"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY},
    )
    minio.tcp_proxy(9000, store.hostname, store.port)
    minio.volume("minio-data", "/data", used_mb=2048.0)
    mongo = Mongo(EMPTY_MONGO)
    suite.service("MongoDB", mongo, 27017, image="mongo:8", metrics=idle)
    channels = suite.service("Realtime", realtime(), 4000, image="supabase/realtime:v2.78.15", metrics=idle)
    channels.log("10:00:00.000 [info] CONNECTED TO RealtimeWeb.UserSocket in 412us")

    report = suite.report("--look-inside", "--markdown", str(tmp_path / "report.md"))

    found = by_name(report)
    assert len(found) == 9
    assert {name: (each["kind"], each["answer"]) for name, each in found.items()} == {
        "Postgres": ("postgres", "keep"),
        "Redis": ("redis", "keep"),
        "Studio": ("studio", "keep"),
        "Kong": ("kong", "replace"),
        "Auth": ("gotrue", "replace"),
        "Postgres Meta": ("postgres_meta", "remove"),
        "MinIO": ("minio", "replace"),
        "MongoDB": ("mongodb", "remove"),
        "Realtime": ("realtime", "keep"),
    }
    assert report["unseen"] == []
    for each in found.values():
        assert each["certainty"] in ("certain", "likely"), each
        assert each["against"] == [], each
    # What they are, they said themselves; who uses them, others did.
    assert "Welcome to kong”, version 3.9.1" in evidence(found["Kong"], "evidence")
    assert "its Admin API: 2 services, 2 routes; no plugins; 8,123 requests" in evidence(found["Kong"])
    assert "Studio (SUPABASE_URL)" in evidence(found["Kong"])
    assert "own log, 7 days: 1 request for a purpose" in evidence(found["Kong"])
    assert "name GoTrue, version v2.186.0" in evidence(found["Auth"], "evidence")
    assert "auth.users in Postgres: 4 rows (counted); newest 2026-11-20 10:00Z" in evidence(found["Auth"])
    assert "auth.identities in Postgres: 4 rows (counted): email" in evidence(found["Auth"])
    assert "It signs in 4 users, by address and number alone" in found["Auth"]["reason"]
    assert "PostgreSQL 15.8" in evidence(found["Postgres Meta"], "evidence")
    assert "none refers to it" in evidence(found["Postgres Meta"])
    assert "1 bucket, " in evidence(found["MinIO"]) and "ListBuckets" in evidence(found["MinIO"])
    assert "hello at localhost" in evidence(found["MongoDB"], "evidence")
    assert "0 documents in 0 databases" in evidence(found["MongoDB"])
    assert "0 writes in 30.0 days" in evidence(found["MongoDB"])
    assert "realtime.subscription in Postgres: 2 rows" in evidence(found["Realtime"])
    assert "own log, 7 days: 0 requests for a purpose; 1 connection;" in evidence(found["Realtime"])
    # 0.1 GB and 0.001 vCPU are $1.02 a month; MinIO's volume has 2 GB besides.
    assert {name: each["monthly_saving"] for name, each in found.items() if each["monthly_saving"]} == {
        "Kong": 1.02,
        "Auth": 1.02,
        "Postgres Meta": 1.02,
        "MinIO": 1.32,
        "MongoDB": 1.02,
    }
    assert report["monthly_saving"] == 5.4
    assert any("Ogel is not in this environment yet" in note for note in report["notes"])
    steps = found["Kong"]["steps"]
    assert any(step.startswith("ogel gateway import kong.yml") for step in steps)
    assert steps.index(next(step for step in steps if step.startswith("railway down --service Kong"))) > 1
    # Nothing was asked but to look, and no secret was repeated.
    assert {"insert", "update", "delete", "drop"}.isdisjoint(mongo.asked)
    whole = json.dumps(report) + (tmp_path / "report.md").read_text()
    for secret in (SECRET, SECRET_KEY, database.password or SECRET):
        assert secret not in whole


def test_each_question_again_with_the_other_answer(suite: SupabaseProject) -> None:
    """What is kept above goes here, and the other way round."""
    suite.service(
        "Studio",
        studio(),
        3000,
        image="supabase/studio:2026.02.16",
        variables={
            "STUDIO_PG_META_URL": "http://postgres-meta.railway.internal:8080",
            "SUPABASE_PUBLIC_URL": "https://${{Gateway.RAILWAY_PUBLIC_DOMAIN}}",
        },
    )
    web = {"AUTH_URL": "https://${{Auth.RAILWAY_PUBLIC_DOMAIN}}", "MONGO_URL": "${{MongoDB.MONGO_URL}}"}
    suite.service("web", repo="acme/web", variables=web)
    kong = suite.service(
        "Gateway", kong_admin({"/": "web"}, ["cors", "openid-connect"]), 8001, image="kong:3.9"
    )
    kong.domain(NOBODY)
    kong.active.http("GET", "/rest/v1/todos")
    auth = suite.service("Auth", gotrue("github", "google"), 9999, image="supabase/gotrue:v2.186.0")
    auth.domain(NOBODY)
    suite.service("Postgres Meta", postgres_meta(), 8080, image="supabase/postgres-meta:v0.95.2")
    store = {
        "/": as_json({}, 403, Server="MinIO"),
        "/minio/health/live": Answer(200, b"", {"Server": "MinIO"}),
    }
    minio = service(store)
    suite.service(
        "MinIO",
        minio,
        9000,
        image="minio/minio",
        variables={"MINIO_ROOT_USER": "admin", "MINIO_ROOT_PASSWORD": SECRET},
    )
    suite.service(
        "MongoDB", Mongo({"serverStatus": WANTS_LOGIN, "listDatabases": WANTS_LOGIN}), 27017, image="mongo:8"
    )
    unheard = suite.service("Realtime", realtime(), 4000, image="supabase/realtime:v2.78.15")
    unheard.log("10:00:00.000 [info] GET /api/tenants/realtime-dev/health")

    found = by_name(suite.report())
    assert {name: each["answer"] for name, each in found.items()} == {
        "Studio": "keep",
        "web": "keep",
        "Gateway": "keep",
        "Auth": "keep",
        "Postgres Meta": "keep",
        "MinIO": "unknown",
        "MongoDB": "keep",
        "Realtime": "remove",
    }
    assert "openid-connect" in found["Gateway"]["reason"]
    assert "github, google" in found["Auth"]["reason"]
    assert "Studio (STUDIO_PG_META_URL)" in found["Postgres Meta"]["reason"]
    assert any(each.startswith("ogel consolidate --look-inside") for each in found["MinIO"]["look"])
    assert "web (MONGO_URL)" in found["MongoDB"]["reason"]
    assert "wants a login for more" in evidence(found["MongoDB"], "evidence")
    # Nobody signs in anywhere who was not asked to, and Railway is only read.
    assert not any("authorization" in request.headers for request in minio.requests)
    assert {request.headers["user-agent"] for request in minio.requests} == {"ogel-consolidate"}
    assert not any("mutation" in asked.query for asked in suite.railway.asked)


def test_a_gateway_hides_who_stands_behind_it_and_its_log_tells_of_them(suite: SupabaseProject) -> None:
    proxy = kong_proxy()
    kong = suite.service("Kong", proxy, 8000, image="kong:2.8.1", healthcheck_path="/up")
    for path in ("/auth/v1/token", "/auth/v1/health", "/up", "/.env"):
        kong.active.http("GET", path)
    kong.domain(NOBODY)
    suite.service("Auth", image="supabase/gotrue:v2.186.0")
    found = by_name(suite.report())
    assert "HTTP log of Kong, 7 days: 1 request for a purpose; 0 refused, 1 probe; /token 1" in evidence(
        found["Auth"]
    )
    assert "HTTP log, 7 days: 1 request for a purpose; 0 refused, 3 probes; /auth/v1 1" in evidence(
        found["Kong"]
    )
    assert found["Auth"]["answer"] == found["Kong"]["answer"] == "unknown"
    # Its public side is asked who it is, and nothing that somebody behind it would answer.
    assert {request.path for request in proxy.requests} == {"/", "/health"}


def test_who_can_only_be_reached_from_inside_is_told_how(suite: SupabaseProject) -> None:
    suite.service("Auth", image="supabase/gotrue:v2.186.0")
    [auth] = suite.report()["services"]
    assert auth["answer"] == "unknown" and auth["private_only"]
    assert "railway ssh --service Auth -- wget -qO- http://localhost:9999/settings" in auth["look"]
    assert any("auth.railway.internal answers only inside" in each for each in auth["look"])


def test_a_service_that_only_its_answers_tell_of_has_its_log_read(suite: SupabaseProject) -> None:
    hidden = suite.service("backend", gotrue(), 9999, repo="acme/backend")
    hidden.log('{"method":"GET","path":"/health","status":200}')
    [found] = suite.report()["services"]
    assert (found["kind"], found["certainty"], found["answer"]) == ("gotrue", "certain", "remove")
    assert "1 probe" in evidence(found)


def test_a_gateway_that_logs_nothing_is_not_taken_for_unused(suite: SupabaseProject) -> None:
    kong = suite.service("Kong", image="kong:3.9", variables={"KONG_PROXY_ACCESS_LOG": "off"})
    kong.log("2026/11/29 10:00:00 [notice] 1#0: start worker process 1123")
    assert by_name(suite.report())["Kong"]["answer"] == "unknown"
    kong.variables.clear()
    assert by_name(suite.report())["Kong"]["answer"] == "remove"


DECLARED = """
_format_version: "2.1"
services:
  - name: auth
    url: http://auth:9999
    routes: [{name: auth, paths: [/auth/v1]}, {name: open, paths: [/auth/v1/verify]}]
    plugins: [{name: cors}, {name: key-auth, enabled: true}, {name: prometheus, enabled: false}]
plugins: [{name: grpc-web, enabled: false}]
"""


def test_a_configuration_in_a_variable_tells_what_a_gateway_does(suite: SupabaseProject) -> None:
    kong = suite.service("Kong", image="kong:2.8.1", variables={"KONG_DECLARATIVE_CONFIG_STRING": DECLARED})
    suite.service("web", repo="acme/web", variables={"API": "http://${{Kong.RAILWAY_PRIVATE_DOMAIN}}:8000"})
    found = by_name(suite.report())["Kong"]
    assert found["answer"] == "replace"
    assert "2 routes to 1 service and cors, key-auth" in found["reason"]
    assert (
        found["steps"][0]
        == "Save the value of KONG_DECLARATIVE_CONFIG_STRING, a variable of Kong, as kong.yml."
    )
    for broken in ("services: [", "- 1", "x" * 2_000_000, "services: {a: *b}", "services: 7"):
        kong.variables["KONG_DECLARATIVE_CONFIG_STRING"] = broken
        found = by_name(suite.report())["Kong"]
        assert found["answer"] == "unknown"


def test_an_answer_of_the_edge_is_none_of_the_service(suite: SupabaseProject) -> None:
    fallback = as_json({"status": "error", "code": 502, "message": "Application failed to respond"}, 502)
    fallback.headers["x-railway-fallback"] = "true"
    suite.service("Auth", Receiver(lambda _: fallback), 9999, image="supabase/gotrue:v2.186.0")
    [auth] = suite.report()["services"]
    assert auth["private_only"]
    assert any("Railway's edge answers 502 in its place" in each for each in auth["look"])


HOSTILE = "\x1b[2J\u202e\n# owned\n| a | <script>alert(1)</script> `" + "x" * 50


@pytest.mark.parametrize(
    "answer",
    [
        as_json({"tagline": "Welcome to kong", "version": HOSTILE}, via="kong/\x7f\x1b[31m<b>" + "v" * 4000),
        as_json({"name": "GoTrue", "version": HOSTILE * 1000}),
        as_json({"data": [{"name": HOSTILE, "enabled": True}] * 5000, "tagline": "Welcome to kong", "version": "3"}),
        Answer(200, b"[" * 2_000_000),
        Answer(200, b"<title>" + b"Supabase" * 100_000),
        Answer(200, b"\x00\xff" * 1000, {"Content-Type": "application/json"}),
        Answer(302, b"", {"Location": "http://169.254.169.254/latest/meta-data/"}),
        Answer(200, b"{}", {f"X-{n}": "y" for n in range(100)}),
    ],
)  # fmt: skip
def test_a_hostile_service_cannot_break_the_report(
    suite: SupabaseProject, tmp_path: Path, answer: Answer
) -> None:
    hostile = Receiver(lambda _: answer)
    suite.service("Kong " + HOSTILE[:30], hostile, 8001, image="kong:3", variables={"KONG_DATABASE": HOSTILE})
    shown = suite.audit("--markdown", str(tmp_path / "report.md"))
    assert shown.code == 0, shown
    assert "\x1b" not in shown.out and "\u202e" not in shown.out
    report = (tmp_path / "report.md").read_text()
    assert len(report) < 50_000 and len(shown.out) < 50_000
    assert "\x1b" not in report and "\n# owned" not in report
    assert len(hostile.requests) < 12


def test_who_takes_their_time_is_not_waited_for(
    suite: SupabaseProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "TIMEOUT_SECONDS", 0.3)
    for number in range(5):
        suite.service(
            f"Auth {number}",
            Receiver(lambda _: Answer(200, b"{}", after_seconds=60)),
            9999,
            image="supabase/gotrue:v2",
        )
    began = time.monotonic()
    report = suite.report()
    assert time.monotonic() - began < 5
    assert all("the answer took too long" in str(each["look"]) for each in report["services"])


def test_a_place_that_serves_metadata_is_not_asked(suite: SupabaseProject) -> None:
    made = suite.service("Auth", image="supabase/gotrue:v2")
    made.tcp_proxy(9999, "169.254.169.254", 80)
    [auth] = suite.report()["services"]
    assert any("metadata" in each for each in auth["look"]), auth["look"]


def test_what_railway_does_not_tell_is_said_and_nothing_goes_for_it(suite: SupabaseProject) -> None:
    unused = suite.service("Postgres Meta", postgres_meta(), 8080, image="supabase/postgres-meta:v0.95.2")
    unused.log('{"level":"info","method":"GET","url":"/health","status":200}')
    suite.service("web", repo="acme/web")
    assert by_name(suite.report())["Postgres Meta"]["answer"] == "remove"
    suite.railway.misbehave(status=429, headers={"Retry-After": "3600"}, when="query Variables", times=1)
    report = suite.report()
    assert by_name(report)["Postgres Meta"]["answer"] == "unknown"
    assert any(each.startswith("variables of ") for each in report["unseen"])
    suite.railway.misbehave(status=500, when="Logs", times=None)
    report = suite.report()
    assert by_name(report)["Postgres Meta"]["answer"] == "unknown"
    assert any(each.startswith("log of Postgres Meta: ") for each in report["unseen"])


def test_a_token_of_one_environment_is_enough(suite: SupabaseProject) -> None:
    suite.service("Kong", kong_admin({"/": "web"}), 8001, image="kong:3.9", metrics={"MEMORY_USAGE_GB": 0.1})
    suite.service("web", repo="acme/web", variables={"API": "http://kong.railway.internal:8000"})
    told = ogel_here("consolidate", "--json", **suite.railway.variables(suite.production))
    assert told.code == 0, told
    report = json.loads(told.out)
    assert report["unseen"] == []
    kong = by_name(report)["Kong"]
    assert (kong["answer"], kong["monthly_saving"], kong["referrers"]) == ("replace", 1.0, ["web: API"])


def test_a_limit_of_railway_is_waited_for(suite: SupabaseProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SPREAD_SECONDS", 0.01)
    suite.service("Kong", kong_admin({"/": "web"}), 8001, image="kong:3.9").log(
        "GET /rest/v1/todos HTTP/1.1 200"
    )
    suite.service("web", repo="acme/web")
    for when in ("query Variables", "query Metrics", "query EnvironmentLogs"):
        suite.railway.misbehave(status=429, headers={"Retry-After": "0"}, when=when, times=2)
    report = suite.report()
    assert report["unseen"] == []
    assert by_name(report)["Kong"]["answer"] == "replace"


def test_one_line_tells_why_there_is_no_report(suite: SupabaseProject, tmp_path: Path) -> None:
    suite.service("web", repo="acme/web")
    told = ogel_here("consolidate", OGEL_RAILWAY_API=suite.railway.url)
    assert (told.code, told.out) == (2, "") and told.err.count("\n") == 1
    told = suite.audit("--project", "nowhere")
    assert told.code == 1 and "nowhere" in told.err and told.err.count("\n") == 1
    told = suite.audit("--markdown", str(tmp_path / "no" / "report.md"))
    assert told.code == 2 and "No such file" in told.err
    told = suite.audit("--json", "--markdown", "-")
    assert told.code == 2 and "both want the standard output" in told.err
    assert suite.audit("--markdown", "-").out.startswith("# Services of shop, production\n")
    told = suite.audit("--days", "0")
    assert told.code == 2 and "--days" in told.err


def test_the_report_fits_a_terminal_of_80_columns(suite: SupabaseProject) -> None:
    suite.service(
        "Kong",
        kong_admin({"/auth/v1": "auth"}, ["cors"]),
        8001,
        image="kong:3.9",
        metrics={"MEMORY_USAGE_GB": 0.1},
    )
    suite.service("注文サービスのためのとても長い名前のデータベース", image="mongo:8")
    with mock.patch("ogel.cli.tables.terminal_width", return_value=80):
        shown = suite.audit()
    assert shown.code == 0, shown
    # Commands are whole, because they are to be pasted; everything else is broken.
    wide = [line for line in shown.out.splitlines() if wcwidth.wcswidth(line) > 80]
    assert [line for line in wide if not line.startswith(("  railway ", "  ogel "))] == []
    assert "SERVICE" in shown.out and "Addresses that stand in code" in shown.out


def test_a_project_of_many_services_is_looked_at_up_to_a_limit(
    suite: SupabaseProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And Railway is asked once for each of those that are not audited."""
    monkeypatch.setattr(reading, "MAX_SERVICES", 10)
    suite.service("Kong", image="kong:3.9")
    for number in range(12):
        suite.service(
            f"web {number}", repo="acme/web", variables={"URL": "http://kong.railway.internal:8000"}
        )
    report = suite.report()
    assert len(report["services"]) == 10
    assert report["unseen"] == ["3 services more: 10 are looked at"]
    kong = by_name(report)["Kong"]
    assert len(kong["referrers"]) == 9
    assert "and 5 more" in evidence(kong)
    assert suite.railway.operations().count("Variables") == 10 + 1
    assert suite.railway.operations().count("EnvironmentLogs") == 1
