"""The HTTP shell over a real server on loopback: what every client of Ogel may rely on."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import structlog

from ogel.runtime.http import http1
from ogel.runtime.process.vitals import resident_bytes
from tests.support.http import (
    MAX_BODY,
    READER,
    WRITER,
    Answer,
    World,
    ask,
    ask_raw,
    expect_problem,
    running,
    story,
)


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
        lacking = await ask(world, "GET", "/api/things/1", headers=WRITER)
        assert "things:read" in expect_problem(lacking, 403)["detail"]
        # The scheme is case-insensitive (RFC 9110 §11.1).
        lower = {"Authorization": "bearer key-of-a-reader"}
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


async def raw_get(world: World, path: str) -> bytes:
    """No client of ours has rewritten it."""
    key = READER["Authorization"]
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nConnection: close\r\n\r\n"
    return await ask_raw(world, request.encode("ascii"))


@story
async def test_a_path_parameter_is_decoded_once() -> None:
    meant = {
        "sales%2Feu@customer.example": "sales/eu@customer.example",
        "sales%2feu": "sales/eu",
        "%2F": "/",
        "a%252Fb": "a%2Fb",
        "100%25": "100%",
        "%252525": "%2525",
        "a+b": "a+b",
        "%e2%82%ac%20%F0%9F%92%A9": "€ 💩",
        "..": "..",
        "%2e%2E": "..",
        "..%2f..%2Fetc%2fpasswd": "../../etc/passwd",
        "%5c;x=1:@!$&'()*,=~": "\\;x=1:@!$&'()*,=~",
        "spe%63ial%2F": "special/",
    }
    async with running() as world:
        for sent, id in meant.items():
            for prefix in ("/api/things", "/%61pi/%74hings"):
                answer = await raw_get(world, f"{prefix}/{sent}")
                assert answer.startswith(b"HTTP/1.1 200 "), (sent, answer)
                assert json.loads(answer.partition(b"\r\n\r\n")[2])["id"] == id


@story
async def test_a_path_that_nobody_can_mean() -> None:
    malformed = ["%", "%4", "%zz", "%u0041", "a%2", "%ff", "%c0%af", "%ed%a0%80"]
    unknown = ["%00", "a%2F%00", "%0d%0aX:%20y", "%7f", "a/b", ""]
    async with running() as world:
        for status, paths in ((400, malformed), (404, unknown)):
            for path in paths:
                answer = await raw_get(world, f"/api/things/{path}")
                assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (path, answer)
                assert b"application/problem+json" in answer


@story
async def test_a_path_may_come_with_its_origin_as_proxies_send_it() -> None:
    targets = {
        "http://x/health/live": 200,
        "HTTPS://x:443/health/live": 200,
        "http://x/api/things/a%2Fb": 401,
        "http://x": 404,
        "/http://x/health/live": 404,
        "ftp://x/health/live": 404,
    }
    async with running() as world:
        for target, status in targets.items():
            raw = await ask_raw(
                world, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
            assert raw.startswith(f"HTTP/1.1 {status} ".encode()), (target, raw)


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
        assert wrong.headers["Allow"] == "GET"
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
            await world.stopped()
        # A jammed connection would still be there when the server stops.
        assert "http.cut_off" not in [each["event"] for each in logs]


def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "LINGER_SECONDS", 0.2)
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
async def test_refused_bodies_leave_no_memory_behind() -> None:
    """Without the garbage collector, which a process that keeps much looks for seldom."""
    refused = {400: b'{"name":"' + b"x" * 6_000_000, 422: b'{"nome":"' + b"x" * 6_000_000 + b'"}'}

    async def refuse(world: World, times: int) -> None:
        for _ in range(times):
            for status, data in refused.items():
                answer = await ask(world, "POST", "/api/things", headers=WRITER, data=io.BytesIO(data))
                assert answer.status == status

    async with running(max_body_bytes=8_000_000) as world:
        await refuse(world, 1)
        gc.disable()
        try:
            before = resident_bytes()
            await refuse(world, 15)
            assert resident_bytes() - before < 60_000_000  # of 180
        finally:
            gc.enable()


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
            await world.stopped()
        assert [each["status"] for each in logs if each["event"] == "http.request"] in ([499], [])
        assert [each["event"] for each in logs if each["log_level"] == "error"] == []
