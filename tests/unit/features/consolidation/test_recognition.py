"""What a service is, by its name, image, variables and answers."""

from __future__ import annotations

import json

import pytest

from ogel.features.consolidation.evidence import MAX_CHARACTERS, quoted
from ogel.features.consolidation.kinds import repository_of
from ogel.features.consolidation.recognition import marks_of, recognise
from ogel.features.consolidation.wire.answer import Answer
from ogel.features.consolidation.wire.facts import kong_facts
from ogel.features.consolidation.wire.reading import read
from ogel.runtime.railway import Instance


def instance(name: str = "svc", image: str | None = None) -> Instance:
    return Instance("s1", name, "e1", image=image)


def answer(path: str, body: object = "", status: int = 200, **headers: str) -> Answer:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(path, status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("kong:2.8.1", "kong"),
        ("kong/kong-gateway:3.9.0.0", "kong"),
        ("docker.io/library/kong@sha256:0123", "kong"),
        ("supabase/gotrue:v2.186.0", "gotrue"),
        ("ghcr.io/6ixfalls/supabase/auth:latest", "gotrue"),
        ("public.ecr.aws/supabase/gotrue:v2.99.0", "gotrue"),
        ("supabase/postgres-meta:v0.95.2", "postgres_meta"),
        ("quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z", "minio"),
        ("bitnami/minio", "minio"),
        ("mongo:8", "mongodb"),
        ("mongodb/mongodb-community-server:7.0-ubi8", "mongodb"),
        ("supabase/realtime:v2.78.15", "realtime"),
        ("supabase/studio:2026.02.16-sha-26c615c", "studio"),
        ("postgrest/postgrest:v14.5", "postgrest"),
        ("supabase/storage-api:v1.44.2", "storage_api"),
        ("darthsim/imgproxy:v3.30.1", "imgproxy"),
        ("supabase/supavisor:2.5.0", "supavisor"),
        ("edoburu/pgbouncer", "pgbouncer"),
        ("envoyproxy/envoy:v1.33", "envoy"),
        ("ghcr.io/railwayapp-templates/postgres-ssl:18", "postgres"),
        ("supabase/postgres:15.8.1", "postgres"),
        ("localhost:5000/railwayapp/redis:8.2", "redis"),
        ("nginx:1.27-alpine", "nginx"),
        ("acme/hongkong:1", "other"),
        ("acme/authority", "other"),
        ("mongo-express:1", "other"),
    ],
)
def test_an_image_tells_the_kind(image: str, kind: str) -> None:
    found = recognise(marks_of(instance(image=image), {}))
    assert found.kind == kind
    assert found.certainty == ("unknown" if kind == "other" else "certain")


def test_the_registry_and_the_tag_are_no_part_of_an_images_name() -> None:
    assert repository_of("registry.example:5000/a/kong:1@sha256:ab") == "a/kong"
    assert repository_of("Kong:latest") == "kong"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Kong", "kong"),
        ("supabase-auth", "gotrue"),
        ("postgres-meta", "postgres_meta"),
        ("Postgres", "postgres"),
        ("Postgres Meta", "postgres_meta"),
        ("MinIO Console", "minio"),
        ("my_mongodb", "mongodb"),
        ("Studio", "studio"),
        ("kongress", "other"),
    ],
)
def test_a_name_is_a_hint_and_called_so(name: str, kind: str) -> None:
    found = recognise(marks_of(instance(name), {}))
    assert found.kind == kind
    assert found.certainty == ("unknown" if kind == "other" else "by name")


def test_variables_tell_what_a_service_is_unless_they_are_somebody_elses() -> None:
    own = {"MINIO_ROOT_USER": "admin", "MINIO_ROOT_PASSWORD": "secret"}
    assert recognise(marks_of(instance(), own)).kind == "minio"
    client = {"MINIO_ROOT_USER": "${{MinIO.MINIO_ROOT_USER}}"}
    assert recognise(marks_of(instance("web"), client)).kind == "other"
    assert recognise(marks_of(instance("web"), {"KONG_URL": "http://kong:8000"})).kind == "other"
    [found] = recognise(marks_of(instance(), own)).evidence[:1]
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer("/", {"tagline": "Welcome to kong", "version": "3.9.0"}), "kong"),
        (answer("/", {"message": "no Route matched with those values"}, 404), "kong"),
        (answer("/", "<title>Supabase</title>", via="kong/2.8.1"), "kong"),
        (answer("/health", {"name": "GoTrue", "version": "v2.186.0", "description": "…"}), "gotrue"),
        (answer("/settings", {"external": {"email": True}, "mailer_autoconfirm": False}), "gotrue"),
        (
            answer("/", {"status": 200, "documentation": "https://github.com/supabase/postgres-meta"}),
            "postgres_meta",
        ),
        (answer("/config/version", {"version": "PostgreSQL 15.8", "max_connections": 100}), "postgres_meta"),
        (answer("/health", {"date": "2026-11-29T15:00:00.000Z"}), "postgres_meta"),
        (answer("/minio/health/live", "", server="MinIO"), "minio"),
        (answer("/", "<title>MinIO Console</title>"), "minio"),
        (answer("/", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", 403), "minio"),
        (answer("/api/openapi", {"info": {"title": "Realtime", "version": "1.0"}}), "realtime"),
        (answer("/socket/websocket", "", 403), "realtime"),
        (answer("/healthcheck", "ok"), "realtime"),
        (answer("/", "", 307, location="/project/default"), "studio"),
        (answer("/", "<html><head><title>Supabase Studio</title>"), "studio"),
        (answer("/", {"swagger": "2.0"}, server="postgrest/14.5"), "postgrest"),
        (answer("/health", "imgproxy is running"), "imgproxy"),
        (answer("/", "Welcome to nginx!", server="nginx/1.27.4"), "nginx"),
    ],
)
def test_an_answer_tells_the_kind(given: Answer, kind: str) -> None:
    assert {each.says for each in read(given)} == {kind}


@pytest.mark.parametrize(
    "given",
    [
        answer("/", "ok"),
        answer("/health", {"status": "ok"}),
        answer("/health", "[" * 100_000),
        answer("/", b"\xff\xfe\x00".decode("latin-1")),
        answer("/settings", {"external": [1, 2], "mailer_autoconfirm": 1}),
        answer("/", {"tagline": ["Welcome to kong"]}),
        answer("/config/version", [{"version": "PostgreSQL"}]),
        answer("/api/openapi", {"info": "Realtime"}),
        answer("/", "<title>" * 10_000),
    ],
)
def test_other_answers_tell_nothing(given: Answer) -> None:
    assert list(read(given)) == []


def test_a_part_of_a_gateways_plugins_is_not_told_for_all() -> None:
    some = {"data": [{"name": "cors"}], "next": "/plugins?offset=x"}
    asked = {path: answer(path, {"data": [], "next": None}) for path in ("/services", "/routes")}
    found = kong_facts({**asked, "/plugins": answer("/plugins", some)})
    assert found is not None and found.plugins is None
    found = kong_facts({**asked, "/plugins": answer("/plugins", {**some, "next": None})})
    assert found is not None and found.plugins == ["cors"]
    assert kong_facts({"/services": answer("/services", {"data": "x"})}) is None


def test_what_contradicts_is_shown_and_takes_the_certainty() -> None:
    marks = marks_of(instance("kong", image="nginx:1.27"), {})
    found = recognise([*marks, *read(answer("/", "hello", server="nginx/1.27.4"))])
    assert (found.kind, found.certainty) == ("nginx", "certain")
    assert [each.source for each in found.against] == ["name"]
    marks = marks_of(instance("gate", image="kong:3"), {})
    found = recognise([*marks, *read(answer("/health", {"name": "GoTrue", "version": "v2"}))])
    assert (found.kind, found.certainty) == ("gotrue", "likely")
    assert [each.answered for each in found.against] == ["kong:3"]


def test_a_service_that_says_the_same_often_is_not_the_surer_for_it() -> None:
    marks = marks_of(instance("auth", image="supabase/gotrue:v2"), {"GOTRUE_SITE_URL": "https://a.example"})
    claims = [each for _ in range(50) for each in read(answer("/", {"message": "x"}, via="kong/3"))]
    assert recognise([*marks, *claims]).kind == "gotrue"


def test_what_strangers_say_is_one_short_line_without_controls() -> None:
    said = quoted("a\x1b[31m\nb\u202e" + "x" * 10_000)
    assert said.startswith("a\\x1b[31m b\\u202e")
    assert len(said) == MAX_CHARACTERS and said.isprintable()
