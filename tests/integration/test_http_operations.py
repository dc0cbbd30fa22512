"""What an operator sees of the HTTP shell: the access log, metrics, health, and the document of the API."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import aiohttp
import pytest
import structlog

from ogel.kernel.errors import Unavailable
from tests.support.http import READER, World, ask, running, story


@story
async def test_the_access_log_has_one_line_and_no_secrets() -> None:
    async with running() as world:
        with structlog.testing.capture_logs() as logs:
            await ask(world, "GET", "/api/things?limit=3", headers=READER)
            await ask(world, "GET", "/api/things/secret-id?key=secret-key", headers=READER)
            await ask(world, "GET", "/health/live")
        first, second, third = (each for each in logs if each["event"] == "http.request")
        assert first["method"] == "GET"
        assert (first["path"], first["status"], first["log_level"]) == ("/api/things", 200, "info")
        assert (first["ip"], first["principal"]) == ("127.0.0.1", "key_reader")
        assert first["ms"] > 0
        assert (second["path"], second["status"], second["log_level"]) == ("/api/things/{id}", 422, "warning")
        assert third["log_level"] == "debug"
        assert "secret" not in str(logs)


@story
async def test_the_client_address_comes_from_trusted_proxies_only() -> None:
    async def seen_ip(world: World, real_ip: str) -> str:
        answer = await ask(world, "GET", "/api/things/1", headers={**READER, "X-Real-IP": real_ip})
        ip: str = answer.json["ip"]
        return ip

    async with running() as world:
        assert await seen_ip(world, "203.0.113.7") == "127.0.0.1"
    # On a dual-stack socket the peer is ::ffff:127.0.0.1.
    async with running(host="::", trusted_proxies=[ip_network("127.0.0.0/8")]) as world:
        assert await seen_ip(world, "203.0.113.7") == "203.0.113.7"
        assert await seen_ip(world, "2001:db8::1") == "2001:db8::1"
        assert await seen_ip(world, "' or 1=1") == "127.0.0.1"


@story
async def test_requests_are_counted_by_template() -> None:
    async with running() as world:
        for n in range(3):
            await ask(world, "GET", f"/api/things/{n}", headers=READER)
            await ask(world, "GET", f"/nowhere/{n}")
        await ask(world, "GET", "/realtime/sse")

        def count(route: str, status: str) -> float | None:
            labels = {"route": route, "method": "GET", "status": status}
            return world.registry.get_sample_value("ogel_http_requests_total", labels)

        assert count("/api/things/{id}", "200") == 3
        assert count("unmatched", "404") == 3
        assert count("/realtime/sse", "200") == 1
        assert world.registry.get_sample_value("ogel_http_requests_in_flight") == 0

        def timed(route: str) -> float | None:
            labels = {"route": route, "method": "GET"}
            return world.registry.get_sample_value("ogel_http_request_seconds_count", labels)

        assert timed("/api/things/{id}") == 3
        assert timed("/realtime/sse") is None


@story
async def test_health_when_all_is_well() -> None:
    async with running() as world:
        assert (await ask(world, "GET", "/health/live")).json == {"status": "alive"}
        ready = await ask(world, "GET", "/health/ready")
        assert (ready.status, ready.json["status"]) == (200, "ready")
        health = await ask(world, "GET", "/api/health")
        assert (health.status, health.json["status"]) == (200, "healthy")
        assert health.json["checks"] == {"postgres": True, "redis": True}
        assert health.json["reasons"] == {}
        assert health.json["timestamp"].endswith("Z")


@story
async def test_an_optional_failure_degrades() -> None:
    async with running(World(redis_up=False)) as world:
        with structlog.testing.capture_logs() as logs:
            health = await ask(world, "GET", "/api/health")
            await ask(world, "GET", "/api/health")
        assert (health.status, health.json["status"]) == (200, "degraded")
        assert health.json["checks"] == {"postgres": True, "redis": False}
        assert (await ask(world, "GET", "/health/ready")).status == 200
        assert [each["probe"] for each in logs if each["event"] == "health.failed"] == ["redis"]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raises", "It does not answer."),
        ("hangs", "It did not answer within 0.2 seconds."),
        ("explains", "Its disk is full."),
    ],
)
def test_a_required_failure_is_503_and_says_what_may_be_known(how: str, reason: str) -> None:
    async def postgres() -> bool:
        if how == "raises":
            raise OSError("10.0.0.5 is gone, and hunter2 with it")
        if how == "explains":
            raise Unavailable("Its disk is full.")
        await asyncio.Event().wait()
        return True

    @story
    async def told() -> None:
        async with running(World(postgres=postgres)) as world:
            health = await ask(world, "GET", "/api/health")
            assert (health.status, health.json["status"]) == (503, "unhealthy")
            assert health.json["checks"] == {"postgres": False, "redis": True}
            assert health.json["reasons"] == {"postgres": reason}
            ready = await ask(world, "GET", "/health/ready")
            assert (ready.status, ready.json["reasons"]) == (503, {"postgres": reason})
            assert (await ask(world, "GET", "/health/live")).status == 200

    told()


@story
async def test_a_process_that_stops_is_not_ready_on_connections_that_are_still_open() -> None:
    async with running() as world, aiohttp.ClientSession(world.url) as session:
        async with session.get("/health/ready") as before:
            assert (before.status, (await before.json())["reasons"]) == (200, {})
        world.stop.set()
        async with session.get("/health/ready") as after:
            told = await after.json()
            assert (after.status, told["status"]) == (503, "unready")
            assert told["reasons"] == {"process": "The process is stopping."}


@story
async def test_the_openapi_document_is_open() -> None:
    async with running() as world:
        answer = await ask(world, "GET", "/openapi.json")
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json["openapi"].startswith("3.1")
        assert {"/api/things", "/api/health", "/openapi.json"} <= set(answer.json["paths"])
