"""Clients that people use, and the ways they keep, split and end their connections."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.support.door import Recorder, door, exchange, wire
from tests.support.http import story

SECONDS = 30


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"no {tool} here")


async def output(*command: str, stdin: bytes = b"") -> tuple[int, str]:
    """Its exit code, and all it said."""
    quiet = {**os.environ, "LC_ALL": "C", "HOME": "/nonexistent", "no_proxy": "*"}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=quiet,
    )
    said, _ = await asyncio.wait_for(process.communicate(stdin), SECONDS)
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")


async def curl(*arguments: str, stdin: bytes = b"") -> str:
    code, said = await output("curl", "--silent", "--show-error", "--verbose", *arguments, stdin=stdin)
    assert code == 0, said
    return said


@asynccontextmanager
async def url() -> AsyncIterator[tuple[str, Recorder]]:
    async with door() as recorder:
        yield f"http://127.0.0.1:{recorder.port}", recorder


@needs("curl")
@story
async def test_curl_keeps_its_connection() -> None:
    async with url() as (base, recorder):
        said = await curl(*(f"{base}/{n}" for n in range(5)))
        assert [request.name for _, request in recorder.requests] == ["0", "1", "2", "3", "4"]
        assert len(recorder.by_client()) == 1
        assert said.count("Re-using existing connection") == 4


@needs("curl")
@story
async def test_curl_asks_by_head() -> None:
    async with url() as (base, recorder):
        said = await curl("--head", f"{base}/a", f"{base}/b")
        assert said.count("HTTP/1.1 200") == 4  # as a header, and as verbose tells it
        assert [(each.method, each.name) for _, each in recorder.requests] == [("HEAD", "a"), ("HEAD", "b")]
        assert len(recorder.by_client()) == 1


@needs("curl")
@story
async def test_curl_waits_for_100() -> None:
    """It would wait for as long as it is told, if nobody answered."""
    body = b"x" * 2_000_000
    async with url() as (base, recorder):
        for framing in ((), ("-H", "Transfer-Encoding: chunked")):
            expects = ("-H", "Expect: 100-continue", "--expect100-timeout", str(10 * SECONDS))
            said = await curl(*expects, *framing, "--data-binary", "@-", f"{base}/a", stdin=body)
            assert "HTTP/1.1 100 Continue" in said
            assert "POST a 2000000" in said
        assert [len(each.body) for _, each in recorder.requests] == [2_000_000, 2_000_000]


@needs("curl")
@story
async def test_curl_sends_what_it_does_not_know_the_length_of() -> None:
    async with url() as (base, recorder):
        said = await curl("-T", "-", f"{base}/a", stdin=b"y" * 300_000)
        assert "PUT a 300000" in said
        [(_, request)] = recorder.requests
        assert request.body == b"y" * 300_000


@needs("curl")
@story
async def test_curl_of_1_0() -> None:
    async with url() as (base, recorder):
        said = await curl("--http1.0", f"{base}/a", "-d", "b=c")
        assert "POST a 3" in said
        said = await curl("--http1.0", "-H", "Connection: keep-alive", f"{base}/a", f"{base}/b")
        assert [each.name for _, each in recorder.requests] == ["a", "a", "b"]


@needs("curl")
@story
async def test_curl_offers_http_2() -> None:
    async with url() as (base, recorder):
        said = await curl("--http2", f"{base}/a", f"{base}/b", "-d", "body")
        assert "Upgrade: h2c" in said
        assert "HTTP/1.1 200" in said and "HTTP/2 " not in said
        assert [each.body for _, each in recorder.requests] == [b"body", b"body"]


@needs("curl")
@story
async def test_curl_insists_on_http_2() -> None:
    async with url() as (base, recorder):
        code, said = await output(
            "curl", "-sv", "--http2-prior-knowledge", "-m", str(SECONDS // 2), f"{base}/a"
        )
        assert code not in (0, 28), said  # not by its own timeout
        assert recorder.requests == []


@needs("curl")
@story
async def test_curl_reads_a_large_answer_slowly() -> None:
    async with url() as (base, _recorder):
        said = await curl("--limit-rate", "1M", *[f"{base}/large"] * 20)
        assert said.count("GET large 0") == 20


@needs("ab")
@story
async def test_ab() -> None:
    """It speaks HTTP/1.0, and asks for its connections to be kept."""
    async with url() as (base, recorder):
        for keep in ((), ("-k",)):
            code, said = await output("ab", "-q", *keep, "-n", "300", "-c", "10", f"{base}/a")
            assert code == 0, said
            assert re.search(r"Complete requests: +300\n", said), said
            assert re.search(r"Failed requests: +0\n", said), said
        assert len(recorder.requests) >= 600


@needs("wrk")
@story
async def test_wrk() -> None:
    async with url() as (base, recorder):
        code, said = await output("wrk", "-t", "1", "-c", "20", "-d", "1s", f"{base}/a")
        assert code == 0, said
        assert "Socket errors" not in said and "Non-2xx" not in said, said
        assert len(recorder.by_client()) <= 21


@needs("nc")
@story
async def test_nc_hangs_up_its_side_first() -> None:
    async with url() as (_base, recorder):
        request = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
        code, said = await output("nc", "-N", "127.0.0.1", str(recorder.port), stdin=request)
        assert code == 0
        assert said.endswith("GET a 0")


@story
async def test_who_has_said_all_is_answered() -> None:
    """Also a slow answer, and one after a body: a side that is shut says that nothing more comes, and no more."""
    async with door() as recorder:
        for request in (
            b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
            b"GET /a HTTP/1.0\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
        ):
            async with wire(recorder.port) as client:
                client.write(request)
                client.write_eof()
                assert await client.end()
                assert client.received.count(b"HTTP/1.1 200 ") == request.count(b" HTTP/1."), request


@story
async def test_who_hangs_up_in_the_middle_is_not_answered() -> None:
    async with door() as recorder:
        for part in (b"GET /a HT", b"GET /a HTTP/1.1\r\nHost: x\r\n", b"", b"\r\n"):
            async with wire(recorder.port) as client:
                if part:
                    client.write(part)
                client.write_eof()
                assert await client.end()
        async with wire(recorder.port) as client:
            client.write(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab")
            client.write_eof()
            assert await client.end()
        assert recorder.requests == []


@story
async def test_pythons_own_client_keeps_its_connection() -> None:
    async with door() as recorder:

        def ask() -> list[bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", recorder.port, timeout=SECONDS)
            said = []
            for n in range(20):
                method = "POST" if n % 2 else "GET"
                connection.request(method, f"/{n}", body=b"x" * n if n % 2 else None)
                said.append(connection.getresponse().read())
            connection.request("PUT", "/chunks", body=iter([b"a", b"b", b"c"]), encode_chunked=True)
            said.append(connection.getresponse().read())
            connection.close()
            return said

        said = await asyncio.to_thread(ask)
        assert said == [
            *(b"POST %d %d" % (n, n) if n % 2 else b"GET %d 0" % n for n in range(20)),
            b"PUT chunks 3",
        ]
        assert len(recorder.by_client()) == 1


@story
async def test_aiohttp_keeps_its_connections() -> None:
    async with url() as (base, recorder):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=4)) as session:

            async def ask(n: int) -> str:
                async with session.post(f"{base}/{n}", data=b"x" * n * 1_000) as response:
                    return await response.text()

            said = await asyncio.gather(*(ask(n) for n in range(40)))
        assert said == [f"POST {n} {n * 1_000}" for n in range(40)]
        assert len(recorder.by_client()) <= 4


@story
async def test_a_client_that_waits_for_100_may_go_without() -> None:
    """It may send the body at once, or after a while; and an answer that needs no body may come instead."""
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
    async with door() as recorder:
        for body, later in ((b"abc", b""), (b"a", b"bc"), (b"", b"abc")):
            async with wire(recorder.port) as client:
                client.write(head + body)
                if not body:
                    await client.until(lambda client=client: b"100 Continue" in client.received)
                client.write(later)
                assert await client.end()
                assert client.received.endswith(b"POST a 3")


@story
async def test_a_connection_may_be_one_of_thousands_in_turn() -> None:
    """Those who never keep one, as some health checks do, which only knock, or speak and do not listen."""
    async with door() as recorder:
        for _ in range(300):
            with socket.socket() as client:
                client.setblocking(False)
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", recorder.port))
        for _ in range(100):
            async with wire(recorder.port) as client:
                client.write(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        seen = await exchange(recorder.port, b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert seen.received.endswith(b"GET b 0")
