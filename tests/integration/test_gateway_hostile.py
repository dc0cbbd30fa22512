"""Upstreams that fail, lie or attack: what their clients are told, and what it costs the gateway."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from ogel.runtime.process.vitals import resident_bytes
from tests.support.gateway import Got, first_lines, gateway, get, raw, scripted, upstream
from tests.support.http import story
from tests.support.process import free_port

MIB = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


def expect_problem(answer: Got, status: int) -> str:
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Frame-Options"] == "DENY"
    detail: str = json.loads(answer.body)["detail"]
    assert "127.0.0.1" not in detail and "localhost" not in detail
    return detail


async def endless_headers(reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def endless_header(reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-More: ")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_early_hints(reader: Reader, writer: Writer) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"", 502),
        (b"SSH-2.0-OpenSSH\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", 502),
        (b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\nok", None),
        (b"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 2\r\n\r\nok", 502),
        (b"HTTP/1.1 200 OK\r\nX-Cr: a\rb\r\nContent-Length: 2\r\n\r\nok", 502),
        (b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok", 502),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 502),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            None,
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK, 200),
        (b"HTTP/1.0 200 OK\r\n\r\nok", 200),
        (endless_headers, 502),
        (endless_header, 502),
        (endless_early_hints, 504),
    ],
)
def test_what_is_no_answer_is_a_bad_gateway(said: object, status: int | None) -> None:
    """None: it may be refused or read, but never otherwise than as `ok`."""

    async def go() -> None:
        async with scripted(said) as server, gateway(f"/s={server.url};auth=open;timeout=1") as gate:  # type: ignore[arg-type]
            before = resident_bytes()
            answer = await get(gate, "/s", "POST", {}, data=b"once")
            assert resident_bytes() - before < 16 * MIB
            assert server.asked == 1
            if answer.status == 200:
                assert status in (200, None)
                assert answer.body == b"ok"
                assert "Content-Length" not in answer.headers or "Transfer-Encoding" not in answer.headers
            else:
                assert status != 200
                expect_problem(answer, status or 502)

    story(go)()


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_no_whole_one_here_either(said: bytes) -> None:
    async def go() -> None:
        async with scripted(said) as server, gateway(f"/s={server.url};auth=open") as gate:
            got = await raw(gate, b"GET /s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            head, _, body = got.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 502 "):
                return  # it was noticed before the head was passed on
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"0\r\n\r\n" not in body and len(body) < 10
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.ClientPayloadError):
                    async with session.get(f"{gate.url}/s") as answer:
                        await answer.read()

    story(go)()


@story
async def test_more_than_was_announced_is_no_second_answer() -> None:
    smuggled = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    )
    async with scripted(smuggled, keep=True) as server, gateway(f"/s={server.url};auth=open") as gate:
        for _ in range(3):
            assert (await get(gate, "/s")).body == b"ok"


@story
async def test_one_that_resets_in_the_middle_of_a_body_is_noticed() -> None:
    async def reset(reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        await writer.drain()
        writer.transport.abort()

    async with scripted(reset) as server, gateway(f"/s={server.url};auth=open") as gate:
        got = await raw(gate, b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
        assert 1000 <= len(got) < 2000


@story
async def test_one_that_says_nothing_is_not_waited_for_and_not_asked_again() -> None:
    async def silent(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(5)

    async with scripted(silent) as server, gateway(f"/s={server.url};auth=open;timeout=0.3") as gate:
        began = time.monotonic()
        expect_problem(await get(gate, "/s"), 504)
        assert time.monotonic() - began < 2
        assert server.asked == 1


@story
async def test_slow_bytes_pass_and_silence_between_them_ends_it() -> None:
    async def slow(reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for byte in b"abc":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.15)
        await asyncio.sleep(5)

    async with scripted(slow) as server, gateway(f"/s={server.url};auth=open;timeout=0.3;idle=0.4") as gate:
        got = await raw(gate, b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n", 4)
        assert got.endswith(b"abc")


@story
async def test_a_client_that_sends_for_long_does_not_use_up_the_upstreams_time() -> None:
    async def read(request: web.Request) -> web.Response:
        body = await request.read()
        if body == b"abcd":
            return web.Response(text="whole")
        await asyncio.sleep(5)
        return web.Response()

    async def pieces() -> AsyncIterator[bytes]:
        for letter in b"abcd":
            yield bytes([letter])
            await asyncio.sleep(0.2)

    async def one() -> AsyncIterator[bytes]:
        yield b"x"

    async with upstream(read) as url, gateway(f"/s={url};auth=open;timeout=0.4") as gate:
        answer = await get(gate, "/s", "POST", {}, data=pieces())
        assert (answer.status, answer.body) == (200, b"whole")
        expect_problem(await get(gate, "/s", "POST", {}, data=one()), 504)


@pytest.mark.parametrize(
    ("method", "body", "asked"), [("GET", None, 2), ("DELETE", None, 2), ("POST", None, 1), ("PUT", b"x", 1)]
)
def test_only_what_may_be_repeated_is(method: str, body: bytes | None, asked: int) -> None:
    """aiohttp itself repeats what it had sent on a connection that was kept: here there is none."""

    async def go() -> None:
        async with scripted(b"", OK) as server, gateway(f"/s={server.url};auth=open") as gate:
            answer = await get(gate, "/s", method, {}, data=body)
            assert (answer.status, server.asked) == (200 if asked == 2 else 502, asked)

    story(go)()


@story
async def test_a_connection_that_closes_while_it_is_kept_costs_no_request() -> None:
    async def once(reader: Reader, writer: Writer) -> None:
        writer.write(OK.replace(b"Connection: close\r\n", b""))
        await writer.drain()

    async with scripted(once) as server, gateway(f"/s={server.url};auth=open;retries=0") as gate:
        for _ in range(20):
            assert (await get(gate, "/s")).status == 200


@story
async def test_one_that_is_away_is_asked_now_and_then_and_found_when_it_is_back() -> None:
    port = free_port()
    async with gateway(f"/s=http://127.0.0.1:{port};auth=open;retries=0") as gate:
        for _ in range(5):
            expect_problem(await get(gate, "/s"), 502)
        refused = await get(gate, "/s")
        expect_problem(refused, 503)
        assert 1 <= int(refused.headers["Retry-After"]) <= 5
        assert gate.metric("ogel_upstream_away", upstream="/s") == 1
        assert gate.metric("ogel_upstream_requests_total", upstream="/s", outcome="connect") == 5
        health = await get(gate, "/api/health")
        assert json.loads(health.body)["checks"] == {"upstream /s": False}
        assert health.status == 200  # degraded: the API itself answers

        async def ok(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(ok, "127.0.0.1", port):
            async with asyncio.timeout(10):
                while (await get(gate, "/s")).status != 200:
                    await asyncio.sleep(0.2)
        assert gate.metric("ogel_upstream_away", upstream="/s") == 0


@story
async def test_a_name_that_nobody_knows_is_a_bad_gateway() -> None:
    async with gateway("/s=http://nobody.invalid:80;auth=open;retries=0") as gate:
        expect_problem(await get(gate, "/s"), 502)


@story
async def test_it_may_answer_before_it_has_read_the_body() -> None:
    async def early(reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
        await writer.drain()
        await asyncio.sleep(0.2)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 65536
            await asyncio.sleep(0.001)

    async with scripted(early) as server, gateway(f"/s={server.url};auth=open") as gate:
        answer = await get(gate, "/s", "POST", {}, data=pieces())
        assert (answer.status, answer.body) == (413, b"no!")


@story
async def test_a_client_that_leaves_in_its_body_is_no_failure_of_the_upstreams() -> None:
    cut = asyncio.Event()

    async def read(request: web.Request) -> web.Response:
        try:
            await request.read()
        except BaseException:
            cut.set()
            raise
        return web.Response()

    async with upstream(read) as url, gateway(f"/s={url};auth=open") as gate:
        for _ in range(7):
            _, writer = await asyncio.open_connection("127.0.0.1", gate.port)
            writer.write(b"POST /s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nsome")
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()
        async with asyncio.timeout(5):
            await cut.wait()
        await asyncio.sleep(0.1)
        assert (await get(gate, "/s")).status == 200
        assert gate.metric("ogel_upstream_away", upstream="/s") == 0


EVIL = b"GET /evil HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /s HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + EVIL,
        b"POST /s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx" + EVIL,
        b"POST /s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + EVIL,
        b"POST /s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + EVIL,
        b"GET /s HTTP/1.1\r\nHost: x\r\nX: a\nContent-Length: 5\r\n\r\n" + EVIL,
        b"GET /s\r\nX: /evil HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_nothing_is_smuggled_past_the_gateway(request_: bytes) -> None:
    async def go() -> None:
        async with scripted(OK) as server, gateway(f"/s={server.url};auth=open") as gate:
            answer = await raw(gate, request_)
            assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
            assert server.asked == 0

    story(go)()


@story
async def test_a_pipelined_request_is_a_request_of_its_own() -> None:
    async with scripted(OK) as server, gateway(f"/s={server.url};auth=open") as gate:
        await raw(
            gate,
            b"POST /s/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
            b"GET /s/2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        assert first_lines(server.seen) == ["POST /1 HTTP/1.1", "GET /2 HTTP/1.1"]


@story
async def test_upstreams_that_nobody_reads_from_are_held_back() -> None:
    sent = 0

    async def endless(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    async with scripted(endless) as server, gateway(f"/s={server.url};auth=open") as gate:
        before = resident_bytes()
        clients = []
        for _ in range(10):
            _, writer = await asyncio.open_connection("127.0.0.1", gate.port)
            writer.write(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
            clients.append(writer)
        await asyncio.sleep(1.0)
        held = sent
        await asyncio.sleep(0.5)
        assert sent == held
        assert resident_bytes() - before < 64 * MIB
        for writer in clients:
            writer.transport.abort()
