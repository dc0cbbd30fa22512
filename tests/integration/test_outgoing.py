"""Requests to hosts that operators chose: every method, both ways as streams, within bounds, through a proxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ogel.adapters.egress.outgoing import OutgoingClient
from ogel.runtime.egress import EgressError, Exchange
from tests.support.certificates import make_certificate
from tests.support.egress_proxy import TunnelProxy
from tests.support.egress_tls import serving, trusting
from tests.support.process import free_port

LIMIT_SECONDS = 20
MIB = 1024 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def echo(request: web.Request) -> web.Response:
    seen = {"method": request.method, "path": request.raw_path, "cookie": request.headers.get("Cookie")}
    body = await request.read()
    return web.json_response({**seen, "bytes": len(body)}, headers={"Set-Cookie": "a=1"})


async def endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"x" * 65536)


async def silent(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(LIMIT_SECONDS)
    raise AssertionError


async def elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/elsewhere")


@asynccontextmanager
async def server(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application(client_max_size=64 * MIB)
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'http' if context is None else 'https'}://{'127.0.0.1' if context is None else 'localhost'}:{port}"
    finally:
        await runner.cleanup()


def run(story: Callable[[OutgoingClient], Awaitable[None]], **given: Any) -> None:
    async def told() -> None:
        client = OutgoingClient(**given)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await story(client)
        finally:
            await client.close()

    asyncio.run(told())


async def ask(client: OutgoingClient, method: str, url: str, seconds: float = 5.0, **more: Any) -> Exchange:
    return await client.request(method, url, timeout_seconds=seconds, max_body_bytes=1024, **more)


async def failure(client: OutgoingClient, url: str, seconds: float = 5.0, **more: Any) -> EgressError:
    with pytest.raises(EgressError) as raised:
        await ask(client, "GET", url, seconds, **more)
    return raised.value


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "OPTIONS", "PURGE"])
def test_every_method_is_spoken_and_no_cookie_is_kept(method: str) -> None:
    async def story(client: OutgoingClient) -> None:
        async with server(echo) as url:
            for _ in range(2):
                got = await ask(client, method, f"{url}/a%2Fb?q=%20", body=b"" if method == "GET" else b"abc")
                assert got.status == 200
                if method != "HEAD":
                    sent = 0 if method == "GET" else 3
                    expected = (
                        f'"method": "{method}", "path": "/a%2Fb?q=%20", "cookie": null, "bytes": {sent}'
                    )
                    assert expected in got.body.decode()
                assert got.timings.total > 0

    run(story)


def test_a_large_body_is_streamed_both_ways() -> None:
    async def story(client: OutgoingClient) -> None:
        async def mirror(request: web.Request) -> web.StreamResponse:
            answer = web.StreamResponse()
            await answer.prepare(request)
            async for piece in request.content.iter_chunked(65536):
                await answer.write(piece)
            return answer

        async def pieces() -> AsyncIterator[bytes]:
            for n in range(32):
                yield bytes([n]) * MIB

        received = 0
        async with (
            server(mirror) as url,
            client.stream("PUT", url, body=pieces(), timeout_seconds=5, idle_seconds=5) as answer,
        ):
            assert answer.status == 200
            async for piece in answer.chunks():
                assert len(piece) <= MIB
                received += len(piece)
        assert received == 32 * MIB

    run(story)


def test_an_answer_without_end_is_cut_and_one_that_is_not_read_is_let_go() -> None:
    async def story(client: OutgoingClient) -> None:
        async with server(endless) as url:
            got = await ask(client, "GET", url)
            assert (len(got.body), got.truncated) == (1024, True)
            async with client.stream("GET", url, timeout_seconds=5, idle_seconds=5) as answer:
                assert await anext(answer.chunks())
            with pytest.raises(ZeroDivisionError):
                async with client.stream("GET", url, timeout_seconds=5, idle_seconds=5):
                    raise ZeroDivisionError

    run(story)


def test_one_deadline_holds_for_all_and_streams_may_not_pause_for_long() -> None:
    async def story(client: OutgoingClient) -> None:
        async def pausing(request: web.Request) -> web.StreamResponse:
            answer = web.StreamResponse()
            await answer.prepare(request)
            await answer.write(b"begun")
            return await silent(request)

        async with server(silent) as url:
            error = await failure(client, url, 0.2)
            assert (error.reason, error.ours) == ("timeout", False)
        async with server(pausing) as url:
            error = await failure(client, url, 0.3)
            assert (error.reason, error.ours) == ("timeout", False)
            assert 0.3 <= error.timings.total < 2
            async with client.stream("GET", url, timeout_seconds=5, idle_seconds=0.2) as answer:
                with pytest.raises(EgressError, match="took too long"):
                    async for _ in answer.chunks():
                        pass

    run(story)


def test_a_redirect_is_an_answer() -> None:
    async def story(client: OutgoingClient) -> None:
        async with server(elsewhere) as url:
            got = await ask(client, "GET", url)
            assert (got.status, got.header("location")) == (302, "/elsewhere")

    run(story)


def test_nobody_there_and_no_such_name_and_no_url() -> None:
    async def story(client: OutgoingClient) -> None:
        refused = await failure(client, f"http://127.0.0.1:{free_port()}/")
        assert (refused.reason, refused.ours) == ("connect", False)
        assert (await failure(client, "http://no-such-name.invalid/")).reason == "dns"
        for url in ("", "nowhere", "ftp://host/", "http:///path", "http://host:port/"):
            error = await failure(client, url)
            assert (error.reason, error.ours) == ("protocol", True)

    run(story)


@pytest.mark.parametrize("path", ["a b", "a\r\nb", "a\tb", "a\x00b", "a\x7f", "é", "a HTTP/1.1\r\nX: y"])
def test_a_url_that_is_not_escaped_is_not_called(path: str) -> None:
    async def story(client: OutgoingClient) -> None:
        async with server(echo) as url:
            error = await failure(client, f"{url}/{path}")
        assert (error.reason, error.ours) == ("protocol", True)

    run(story)


@pytest.mark.parametrize("method", ["", "A B", "GET / HTTP/1.1\r\nX: y", "É"])
def test_a_method_is_one_word(method: str) -> None:
    async def story(client: OutgoingClient) -> None:
        async with server(echo) as url:
            with pytest.raises(EgressError) as raised:
                await client.request(method, url, timeout_seconds=5, max_body_bytes=10)
        assert (raised.value.reason, raised.value.ours) == ("protocol", True)

    run(story)


@pytest.mark.parametrize(("name", "value"), [("a b", "x"), ("x", "a\r\nb: c"), ("x", "a\x00b")])
def test_headers_cannot_break_out_of_their_line(name: str, value: str) -> None:
    async def story(client: OutgoingClient) -> None:
        async with server(echo) as url:
            error = await failure(client, url, headers=[(name, value)])
        assert error.reason == "protocol"
        assert value not in str(error) + error.detail

    run(story)


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: " + b"b" * 40_000, b"HTTP/1.1 2", b""]
)
def test_what_is_no_answer(said: bytes) -> None:
    async def story(client: OutgoingClient) -> None:
        async def saying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            writer.close()

        async with await asyncio.start_server(saying, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            error = await failure(client, f"http://127.0.0.1:{port}/")
            assert error.reason in ("protocol", "reset")
            assert not error.ours

    run(story)


def test_certificates_are_verified(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "localhost")

    async def story(client: OutgoingClient) -> None:
        async with server(echo, serving(certificate)) as url:
            error = await failure(client, url)
            assert (error.reason, error.message) == ("tls", "the certificate could not be verified")
            trusted = OutgoingClient(ssl_context=trusting(certificate))
            try:
                assert (await ask(trusted, "GET", url)).status == 200
            finally:
                await trusted.close()

    run(story)


def test_the_proxy_is_told_and_its_faults_are_ours(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "localhost")

    async def story(_: OutgoingClient) -> None:
        async with server(echo, serving(certificate)) as url, TunnelProxy().listening() as proxy:
            address = f"http://user:secret@127.0.0.1:{proxy.port}"
            client = OutgoingClient(proxy=address, ssl_context=trusting(certificate))
            try:
                assert (await ask(client, "GET", url)).status == 200
                assert proxy.targets == [url.removeprefix("https://")]
                assert b"Proxy-Authorization: Basic" in proxy.heads[0]
                for said, ours in ((b"407 Who", True), (b"403 No", True), (b"502 Bad", False)):
                    proxy.answers[proxy.targets[0]] = b"HTTP/1.1 " + said + b"\r\n\r\n"
                    await client.close()
                    client = OutgoingClient(proxy=address, ssl_context=trusting(certificate))
                    error = await failure(client, url)
                    assert (error.reason, error.ours) == ("proxy", ours)
                    assert "secret" not in str(error) + error.detail
            finally:
                await client.close()
        client = OutgoingClient(proxy=f"http://127.0.0.1:{free_port()}")
        try:
            error = await failure(client, "https://localhost/")
            assert (error.reason, error.ours) == ("proxy", True)
        finally:
            await client.close()

    run(story)


def test_once_closed_it_asks_nobody() -> None:
    async def story(client: OutgoingClient) -> None:
        async with server(echo) as url:
            assert (await ask(client, "GET", url)).status == 200
            await client.close()
            error = await failure(client, url)
            assert (error.reason, error.ours) == ("connect", True)

    run(story)
