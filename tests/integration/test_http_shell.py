"""The HTTP shell over a real server on loopback: what every client of Ogel may rely on."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Annotated, Any

import aiohttp
import msgspec
import psycopg
import pytest
import structlog
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse
from starlette.routing import Route as StreamRoute
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from ogel.kernel.clock import utc_now
from ogel.kernel.errors import ConfigError, Conflict, RateLimited, Unauthenticated
from ogel.kernel.principal import Principal
from ogel.runtime.http import body, server
from ogel.runtime.http.app import build_app
from ogel.runtime.http.endpoint import HttpOptions
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.health import Probe
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.route import Call, Reply, Route, Text, Timestamp

KEYS = {
    "key-of-a-writer": Principal("key_writer", frozenset({"things:write"})),
    "key-of-a-reader": Principal("key_reader", frozenset({"things:read"})),
}
WRITER = {"Authorization": "Bearer key-of-a-writer"}
READER = {"Authorization": "Bearer key-of-a-reader"}
MAX_BODY = 64 * 1024


class NewThing(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    data: Any = None


class Thing(msgspec.Struct):
    id: str
    made_by: str
    made_at: Timestamp


class Search(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 25


@dataclass
class World:
    """One running server, and the signals its handlers wait for and give."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    postgres: Callable[[], Awaitable[bool]] | None = None
    redis_up: bool = True
    port: int = 0
    serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def routes(self) -> list[tuple[str, Route]]:
        async def make(call: Call[NewThing, None]) -> Thing:
            return Thing("thing_1", call.principal.id, utc_now().replace(microsecond=0))

        async def show(call: Call[None, None]) -> dict[str, Any]:
            return {"id": call.path["id"], "ip": call.caller.ip, "agent": call.caller.user_agent}

        async def search(call: Call[None, Search]) -> Reply:
            return Reply({"limit": call.query.limit}, headers={"Cache-Control": "max-age=5"})

        async def remove(call: Call[None, None]) -> None:
            return None

        async def fail(call: Call[None, None]) -> None:
            match call.path["how"]:
                case "bug":
                    raise ZeroDivisionError("the secret of the bug")
                case "conflict":
                    raise Conflict("It is paused.")
                case "limited":
                    raise RateLimited("Slow down.", retry_after_seconds=7)
                case "database":
                    raise psycopg.OperationalError("connection to 10.0.0.5 failed")
                case "data":
                    raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")

        async def wait(call: Call[None, None]) -> str:
            self.entered.set()
            await self.released.wait()
            return "done"

        async def ignore(call: Call[None, None]) -> None:
            for _ in range(300):
                await asyncio.sleep(0)  # lets the server's buffer for this request fill up

        async def large(call: Call[None, None]) -> Text:
            self.entered.set()
            return Text(b"x" * 30_000_000, "text/plain")

        async def plain(call: Call[None, None]) -> Text:
            return Text(b"one 1\n", "text/plain; version=0.0.4")

        things = [
            Route("GET", "/api/things/{id}", show, "things:read", "Show", dict),
            Route("DELETE", "/api/things/{id}", remove, "things:write", "Remove"),
            Route("GET", "/api/things/special", plain, None, "Text", Text),
            Route("POST", "/api/things", make, "things:write", "Make", Thing, NewThing, status=201),
            Route("GET", "/api/things", search, "things:read", "Search", dict, query=Search),
            Route("GET", "/api/fail/{how}", fail, None, "Fail"),
            Route("POST", "/api/ignore", ignore, None, "Ignore the body"),
            Route("GET", "/api/large", large, None, "More than fits into socket buffers", Text),
            Route("GET", "/api/wait", wait, None, "Wait", str),
        ]
        return [("things", route) for route in things]

    def streams(self) -> list[Any]:
        async def echo(websocket: WebSocket) -> None:
            if "key" not in websocket.query_params:
                raise Unauthenticated("Send a key.")
            await websocket.accept()
            while (text := await websocket.receive_text()) != "fail":
                await websocket.send_text(f"{exchange_of(websocket.scope).ip} {text}")
            raise ZeroDivisionError

        async def ticks(request: Any) -> PlainTextResponse:
            return PlainTextResponse("tick")

        return [WebSocketRoute("/realtime/ws", echo), StreamRoute("/realtime/sse", ticks, methods=["GET"])]

    def probes(self) -> list[Probe]:
        async def yes() -> bool:
            return True

        async def redis() -> bool:
            return self.redis_up

        return [
            Probe("postgres", self.postgres or yes, timeout_seconds=0.2),
            Probe("redis", redis, required=False),
        ]

    def app(self, **options: Any) -> Any:
        async def authenticate(key: str) -> Principal | None:
            return KEYS.get(key)

        settings = HttpOptions(**{"max_body_bytes": MAX_BODY, **options})
        metrics = HttpMetrics(self.registry)
        return build_app(self.routes(), self.streams(), authenticate, metrics, self.probes(), settings)


@asynccontextmanager
async def running(
    world: World | None = None, *, host: str = "127.0.0.1", drain_seconds: float = 5.0, **options: Any
) -> AsyncIterator[World]:
    world = world or World()
    sockets = server.bind(host, 0)
    world.port = sockets[0].getsockname()[1]
    world.serving = asyncio.create_task(
        server.serve(world.app(**options), sockets, world.stop, drain_seconds)
    )
    try:
        yield world
    finally:
        world.stop.set()
        async with asyncio.timeout(20):
            await world.serving


def story(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs a coroutine as a test, within a limit."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 60))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(world: World, method: str, path: str, **options: Any) -> Answer:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, world.url + path, **options) as response,
    ):
        return Answer(response.status, response.headers, await response.read())


async def ask_raw(world: World, request: bytes) -> bytes:
    """Everything the server answers until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def expect_problem(answer: Answer, status: int, *fields: str) -> Any:
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status
    assert problem["type"].startswith("urn:ogel:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert tuple(error["path"] for error in problem.get("errors", [])) == fields
    return problem


@story
async def test_a_handler_gets_input_and_its_value_is_sent() -> None:
    async with running() as world:
        made = await ask(world, "POST", "/api/things", json={"name": "x"}, headers=WRITER)
        assert made.status == 201
        assert made.headers["Content-Type"] == "application/json"
        assert made.json["made_by"] == "key_writer"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z", made.json["made_at"])
        removed = await ask(world, "DELETE", "/api/things/1", headers=WRITER)
        assert (removed.status, removed.body) == (204, b"")
        shown = await ask(world, "GET", "/api/things/a%20b", headers={**READER, "User-Agent": "test/1"})
        assert shown.json == {"id": "a b", "ip": "127.0.0.1", "agent": "test/1"}
        assert (await ask(world, "GET", "/api/things?limit=3", headers=READER)).json == {"limit": 3}
        text = await ask(world, "GET", "/api/things/special")
        assert (text.body, text.headers["Content-Type"]) == (b"one 1\n", "text/plain; version=0.0.4")


@story
async def test_every_answer_has_its_headers() -> None:
    async with running() as world:
        for path in ("/health/live", "/nowhere", "/realtime/sse"):
            answer = await ask(world, "GET", path)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert re.fullmatch("req_[0-9a-z]{26}", answer.headers["X-Request-Id"])
            assert "Server" not in answer.headers
        cached = await ask(world, "GET", "/api/things", headers=READER)
        assert cached.headers.getall("Cache-Control") == ["max-age=5"]


@story
async def test_a_client_may_bring_its_request_id() -> None:
    async with running() as world:
        kept = await ask(world, "GET", "/health/live", headers={"X-Request-Id": "from_Me-1"})
        assert kept.headers["X-Request-Id"] == "from_Me-1"
        for wrong in ("a b", "x" * 65, 'x"y', ""):
            replaced = await ask(world, "GET", "/health/live", headers={"X-Request-Id": wrong})
            assert replaced.headers["X-Request-Id"].startswith("req_")


@story
async def test_keys_and_scopes() -> None:
    async with running() as world:
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer nobody"},
            {"Authorization": "Basic key-of-a-writer"},
            {"Authorization": "Bearer \xe9\xe9"},
            {"Authorization": "Bearer " + "k" * 5000},
        ):
            answer = await ask(world, "POST", "/api/things", headers=headers, json={"name": "x"})
            expect_problem(answer, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        lacking = await ask(world, "POST", "/api/things", headers=READER, json={"name": "x"})
        assert "things:write" in expect_problem(lacking, 403)["detail"]
        # Whoever may write may read; the scheme is case-insensitive (RFC 9110 §11.1).
        lower = {"Authorization": "bearer key-of-a-writer"}
        assert (await ask(world, "GET", "/api/things/1", headers=lower)).status == 200


@story
async def test_wrong_bodies_are_explained() -> None:
    async with running() as world:

        async def post(data: bytes) -> Answer:
            return await ask(world, "POST", "/api/things", headers=WRITER, data=data)

        for malformed in (b"", b"{", b"\xff", b'{"name":"\\ud800"}', b'{"name":"x","data":' + b"[" * 60_000):
            expect_problem(await post(malformed), 400)
        expect_problem(await post(b'{"name":5}'), 422, "body.name")
        expect_problem(await post(b"{}"), 422, "body.name")
        expect_problem(await post(b'{"name":"x","nome":1}'), 422, "body.nome")
        expect_problem(await post(b'{"name":"x","data":' + b"9" * 9_000 + b"}"), 422, "body.data")


@story
async def test_wrong_parameters_are_explained() -> None:
    async with running() as world:

        async def get(query: str) -> Answer:
            return await ask(world, "GET", "/api/things" + query, headers=READER)

        expect_problem(await get("?limit=0"), 422, "query.limit")
        expect_problem(await get("?limit=1&limit=1"), 422, "query.limit")
        expect_problem(await get("?what=1"), 422, "query.what")
        expect_problem(await ask(world, "GET", "/health/live?x=1"), 422, "query.x")


@story
async def test_paths_and_methods_that_do_not_exist() -> None:
    async with running() as world:
        for path in ("/", "/api", "/api/things/", "/api/things/1/2", "/health/live/", "//api/things"):
            expect_problem(await ask(world, "GET", path, headers=READER), 404)
        raw = await ask_raw(world, b"GET /api/things/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 404 ")
        raw = await ask_raw(world, b"GET /health/live%0A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 404 ")
        wrong = await ask(world, "PUT", "/api/things/1", headers=WRITER)
        expect_problem(wrong, 405)
        assert wrong.headers["Allow"] == "DELETE, GET, HEAD"
        wrong = await ask(world, "POST", "/realtime/sse")
        expect_problem(wrong, 405)
        assert set(wrong.headers["Allow"].split(", ")) == {"GET", "HEAD"}
        expect_problem(await ask(world, "BREW", "/api/things/1"), 405)


@story
async def test_head_is_get_without_the_body() -> None:
    async with running() as world:
        head = await ask(world, "HEAD", "/api/things/1", headers=READER)
        assert (head.status, head.body) == (200, b"")
        assert int(head.headers["Content-Length"]) > 0
        assert (await ask(world, "HEAD", "/api/things/1")).status == 401


@story
async def test_errors_keep_their_private_half() -> None:
    async with running() as world:
        with structlog.testing.capture_logs() as logs:
            bug = await ask(world, "GET", "/api/fail/bug")
        expect_problem(bug, 500)
        assert b"secret" not in bug.body
        (logged,) = [each for each in logs if each["event"] == "http.error"]
        assert isinstance(logged["exc_info"], ZeroDivisionError)
        assert logged["request_id"] == bug.headers["X-Request-Id"]

        expect_problem(await ask(world, "GET", "/api/fail/conflict"), 409)
        limited = await ask(world, "GET", "/api/fail/limited")
        expect_problem(limited, 429)
        assert limited.headers["Retry-After"] == "7"
        away = await ask(world, "GET", "/api/fail/database")
        expect_problem(away, 503)
        assert away.headers["Retry-After"] == "1"
        assert b"10.0.0.5" not in away.body
        expect_problem(await ask(world, "GET", "/api/fail/data"), 422)


@story
async def test_a_body_over_the_limit_is_refused_by_its_declared_length() -> None:
    async with running() as world:
        fits = json.dumps({"name": "x" * (MAX_BODY - 20)}).encode()
        assert (await ask(world, "POST", "/api/things", headers=WRITER, data=fits)).status == 201
        expect_problem(
            await ask(world, "POST", "/api/things", headers=WRITER, data=b"x" * (MAX_BODY + 1)), 413
        )
        large = await ask(world, "POST", "/api/things", headers=WRITER, data=io.BytesIO(b"x" * 5_000_000))
        expect_problem(large, 413)


@story
async def test_a_body_over_the_limit_is_refused_while_it_streams() -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 64 * 1024

    async with running() as world:
        expect_problem(await ask(world, "POST", "/api/things", headers=WRITER, data=stream()), 413)


@story
async def test_a_body_that_nobody_reads_does_not_jam_the_connection() -> None:
    async with running() as world, aiohttp.ClientSession() as session:
        with structlog.testing.capture_logs() as logs:
            for path, status in (("/api/ignore", 204), ("/api/things", 401)):
                # More than the server buffers for the application.
                async with session.post(world.url + path, data=io.BytesIO(b"x" * 3_000_000)) as response:
                    assert response.status == status
            async with session.delete(world.url + "/api/things/1", data=b"{}", headers=WRITER) as response:
                assert response.status == 204
            world.stop.set()
            assert world.serving is not None
            await world.serving
        # A jammed connection would still be there when the server stops.
        assert "http.cut_off" not in [each["event"] for each in logs]


def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LINGER_SECONDS", 0.2)
    a_body_that_never_comes()


@story
async def a_body_that_never_comes() -> None:
    async with running(body_timeout_seconds=0.2) as world:
        head = b"POST /api/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-a-writer\r\n"
        raw = await ask_raw(world, head + b"Content-Length: 100\r\n\r\n{")
        assert raw.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in raw
        # Refused, and then it neither goes on nor hangs up: we do.
        raw = await ask_raw(world, head + b"Content-Length: 10000000\r\n\r\n" + b"x" * 100_000)
        assert raw.startswith(b"HTTP/1.1 413 ")


@story
async def test_a_client_that_leaves_mid_body_is_no_error() -> None:
    async with running() as world:
        with structlog.testing.capture_logs() as logs:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            head = b"POST /api/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-a-writer\r\n"
            writer.write(head + b"Content-Length: 100\r\n\r\n{")
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            world.stop.set()
            assert world.serving is not None
            await world.serving
        assert [each["status"] for each in logs if each["event"] == "http.request"] in ([499], [])
        assert [each["event"] for each in logs if each["log_level"] == "error"] == []


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


@pytest.mark.parametrize("how", ["raises", "hangs"])
def test_a_required_failure_is_503(how: str) -> None:
    async def postgres() -> bool:
        if how == "raises":
            raise OSError("gone")
        await asyncio.Event().wait()
        return True

    @story
    async def told() -> None:
        async with running(World(postgres=postgres)) as world:
            health = await ask(world, "GET", "/api/health")
            assert (health.status, health.json["status"]) == (503, "unhealthy")
            assert health.json["checks"] == {"postgres": False, "redis": True}
            assert (await ask(world, "GET", "/health/ready")).status == 503
            assert (await ask(world, "GET", "/health/live")).status == 200

    told()


@story
async def test_the_openapi_document_is_open() -> None:
    async with running() as world:
        answer = await ask(world, "GET", "/openapi.json")
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json["openapi"].startswith("3.1")
        assert {"/api/things", "/api/health", "/openapi.json"} <= set(answer.json["paths"])


@story
async def test_websockets() -> None:
    async with running() as world, aiohttp.ClientSession() as session:
        async with session.ws_connect(world.url + "/realtime/ws?key=k") as websocket:
            await websocket.send_str("hello")
            assert (await websocket.receive()).data == "127.0.0.1 hello"
            await websocket.send_str("fail")
            with structlog.testing.capture_logs() as logs:
                assert (await websocket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert websocket.close_code == 1011
            assert "http.error" in [each["event"] for each in logs]
        for path, status in (("/realtime/ws", 401), ("/realtime/other", 404)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(world.url + path)
            assert refused.value.status == status


@story
async def test_a_websocket_that_the_client_closes_is_no_error() -> None:
    async with running() as world, aiohttp.ClientSession() as session:
        with structlog.testing.capture_logs() as logs:
            async with session.ws_connect(world.url + "/realtime/ws?key=k") as websocket:
                await websocket.send_str("hello")
                await websocket.receive()
            world.stop.set()
            assert world.serving is not None
            await world.serving
        (line,) = [each for each in logs if each["event"] == "http.request"]
        assert (line["method"], line["path"], line["status"]) == ("WEBSOCKET", "/realtime/ws", 101)


@story
async def test_stopping_finishes_what_is_in_flight() -> None:
    async with running() as world, aiohttp.ClientSession() as session:
        idle = await asyncio.open_connection("127.0.0.1", world.port)
        answer = asyncio.create_task(session.get(world.url + "/api/wait"))
        await world.entered.wait()
        world.stop.set()
        assert await idle[0].read() == b""  # idle connections are hung up on
        idle[1].close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", world.port)
        world.released.set()
        response = await answer
        assert await response.json() == "done"
        assert world.serving is not None
        await world.serving


@story
async def test_stopping_does_not_wait_for_ever() -> None:
    async with running(drain_seconds=0.1) as world, aiohttp.ClientSession() as session:
        answer = asyncio.create_task(session.get(world.url + "/api/wait"))
        await world.entered.wait()
        with structlog.testing.capture_logs() as logs:
            world.stop.set()
            assert world.serving is not None
            await world.serving
        assert (await answer).status == 503
        assert "http.cut_off" in [each["event"] for each in logs]


def test_a_peer_that_stops_reading_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WRITE_SECONDS", 0.2)
    a_peer_that_stops_reading()


@story
async def a_peer_that_stops_reading() -> None:
    async with running() as world:
        _reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
        with structlog.testing.capture_logs() as logs:
            writer.write(b"GET /api/large HTTP/1.1\r\nHost: x\r\n\r\n")
            # The server ends the connection by itself, though nobody reads the answer.
            await world.entered.wait()
            world.stop.set()
            assert world.serving is not None
            await world.serving
        assert "http.cut_off" not in [each["event"] for each in logs]
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@story
async def test_everywhere_is_both_families() -> None:
    async with running(host="::") as world, aiohttp.ClientSession() as session:
        for host in ("127.0.0.1", "[::1]"):
            async with session.get(f"http://{host}:{world.port}/health/live") as response:
                assert response.status == 200


@story
async def test_localhost_is_both_loopbacks_on_one_port() -> None:
    async with running(host="localhost") as world, aiohttp.ClientSession() as session:
        for host in ("127.0.0.1", "[::1]"):
            async with session.get(f"http://{host}:{world.port}/health/live") as response:
                assert response.status == 200


def test_without_ipv6_everywhere_is_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = server._listen

    def listen(host: str, port: int, *, dual_stack: bool = False) -> socket.socket:
        if ":" in host:
            raise OSError(97, "Address family not supported by protocol")
        return real("127.0.0.1" if host == "0.0.0.0" else host, port)

    monkeypatch.setattr(server, "_listen", listen)
    for host in ("::", "localhost"):
        (only,) = server.bind(host, 0)
        assert only.family == socket.AF_INET
        only.close()


def test_a_port_that_is_taken_is_a_wrong_setting() -> None:
    (taken,) = server.bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    try:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(ConfigError, match=str(port)):
                server.bind(host, port)
        for host, wrong in (("127.0.0.1", 70_000), ("not an address", 0)):
            with pytest.raises(ConfigError):
                server.bind(host, wrong)
    finally:
        taken.close()
