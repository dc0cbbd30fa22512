"""Requests through the gateway to real servers: what arrives, what comes back, who is let in."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ogel.features.gateway.upstreams.upstream import upstreams_of
from ogel.kernel.errors import ConfigError
from ogel.runtime.http.gate import Gate, Notice
from ogel.runtime.process.vitals import resident_bytes
from tests.support.gateway import ADMIN, CALLER, first_lines, gateway, get, head_of, raw, scripted, upstream
from tests.support.http import story

MIB = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    seen = {
        "method": request.method,
        "path": request.raw_path,
        "headers": {name.lower(): request.headers.getall(name) for name in request.headers},
        "body": body.decode("latin-1"),
    }
    return web.json_response(seen, status=201, headers={"X-Own": "1", "Set-Cookie": "a=1"})


@story
async def test_a_request_arrives_as_it_came_and_the_answer_too() -> None:
    async with upstream(echo) as url, gateway(f"/studio={url}/base;auth=key") as gate:
        answer = await get(
            gate,
            "/studio/a%2Fb/c?x=1&x=%C3%A9&key=kept",
            "PATCH",
            {**CALLER, "X-Mine": "é", "Cookie": "s=1", "Accept": "a/b", "User-Agent": "mine"},
            data=b"\x00\xff",
        )
        assert (answer.status, answer.headers["X-Own"], answer.headers["Set-Cookie"]) == (201, "1", "a=1")
        seen = json.loads(answer.body)
        assert (seen["method"], seen["path"]) == ("PATCH", "/base/a%2Fb/c?x=1&x=%C3%A9&key=kept")
        assert seen["body"] == "\x00\xff"
        headers = seen["headers"]
        assert headers["x-mine"] == ["é"]
        assert (headers["cookie"], headers["accept"], headers["user-agent"]) == (["s=1"], ["a/b"], ["mine"])
        assert headers["content-length"] == ["2"]
        assert headers["host"] == [url.removeprefix("http://")]
        assert "authorization" not in headers and "accept-encoding" in headers  # of the client's library
        # Headers of answers are the upstream's business.
        for name in ("Content-Security-Policy", "X-Frame-Options", "Cache-Control"):
            assert name not in answer.headers
        assert "Server" not in answer.headers and "X-Request-Id" in answer.headers


@pytest.mark.parametrize(
    ("options", "asked", "arrives"),
    [
        ("", "/s", "/"),
        ("", "/s/", "/"),
        ("", "/s?a=b", "/?a=b"),
        ("", "/s//x//", "//x//"),
        ("", "/%73/x", "/x"),
        (";strip=no", "/s", "/s"),
        (";strip=no", "/s/x", "/s/x"),
    ],
)
def test_paths(options: str, asked: str, arrives: str) -> None:
    async def go() -> None:
        async with scripted(OK) as server, gateway(f"/s={server.url};auth=open{options}") as gate:
            answer = await raw(gate, f"GET {asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert first_lines(server.seen) == [f"GET {arrives} HTTP/1.1"]

    story(go)()


@story
async def test_the_absolute_form_is_a_path_too() -> None:
    async with scripted(OK) as server, gateway(f"/s={server.url};auth=open") as gate:
        await raw(gate, b"GET http://elsewhere/s/x?y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert first_lines(server.seen) == ["GET /x?y HTTP/1.1"]


@pytest.mark.parametrize(
    "path",
    [
        *("/s/../admin", "/s/%2e%2E/x", "/s/a/.%2e", "/s/..%2f..%2fx", "/s/..%5cx", "/s/./x"),
        *("/s/..;/admin", "/s/x/..;v=1/y", "/s/..%3b/x", "/s/%252e%252e/x", "/s/..%252fx"),
    ],
)
def test_no_path_leads_out_of_an_upstream(path: str) -> None:
    async def go() -> None:
        async with scripted(OK) as server, gateway(f"/s={server.url}/base;auth=open") as gate:
            answer = await raw(gate, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert server.asked == 0

    story(go)()


@pytest.mark.parametrize(
    "path",
    [
        *("//inner/x", "/inner//x", "///inner", "/inner%2Fx", "/%2Finner/x", "/inner%5Cx", "/%5cinner"),
        *("/Inner/x", "/inner;v=1/x", "/inner%3Bx", "/inner./x", "/inner%20/x", "/%2569nner/x", "/;/inner"),
        *("http://elsewhere/inner%2Fx", "http://elsewhere//inner", "/a%2Fb/x", "/A/B/x", "/a//b", "/inner#x"),
    ],
)
def test_no_spelling_of_a_path_leads_past_what_has_it(path: str) -> None:
    """A service that has several paths may take it for the path that is closed."""

    async def go() -> None:
        async with scripted(OK) as server:
            closed = f"/inner=404,/a/b={server.url};auth=admin"
            async with gateway(f"/={server.url};auth=open,{closed}") as gate:
                asked = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
                status = (await raw(gate, asked)).split(b" ", 2)[1]
                assert status in (b"404", b"400")
                assert server.asked == 0
                await raw(gate, b"GET /inner-most/x;v=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert server.asked == 1

    story(go)()


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_nobody_is_shown_what_a_service_is_told(method: str) -> None:
    async def go() -> None:
        async with scripted(OK) as server, gateway(f"/s={server.url};auth=open;set=X-Secret: s3cr3t") as gate:
            asked = f"{method} /s/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            answer = await raw(gate, asked)
            assert answer.startswith(b"HTTP/1.1 405 ")
            assert b"allow: delete, get" in answer.lower()
            assert server.asked == 0

    story(go)()


@story
async def test_what_is_of_one_connection_stays_there_and_only_we_say_who_asks() -> None:
    async with scripted(OK) as server, gateway(f"/s={server.url};auth=key", trusted_proxies=[]) as gate:
        answer = await raw(
            gate,
            b"POST /s/x HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer caller\r\n"
            b"Connection: close, X-Drop, Content-Length\r\nX-Drop: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\n"
            b"Proxy-Authorization: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Connection: x\r\nTrailer: x\r\n"
            b"X-Forwarded-For: 1.2.3.4\r\nX_Forwarded_For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"
            b"X-Forwarded-Proto: https\r\nX-Real-IP: 1.2.3.4\r\nX-Ogel-Principal: admin\r\nX_OGEL_KIND: admin\r\n"
            b"Content_Length: 9\r\nTransfer_Encoding: chunked\r\nX-Kept_One: 1\r\n"
            b"apikey: caller\r\nContent-Length: 2\r\n\r\nhi",
        )
        assert answer.startswith(b"HTTP/1.1 200 ")
        seen = head_of(server.seen[0])
        for name in (
            "x-drop", "keep-alive", "te", "proxy-authorization", "upgrade", "http2-settings", "proxy-connection",
            "trailer", "x_forwarded_for", "x_ogel_kind", "content_length", "transfer_encoding", "authorization",
            "apikey", "transfer-encoding",
        ):  # fmt: skip
            assert name not in seen, name
        assert seen["x-kept_one"] == ["1"]
        assert seen["content-length"] == ["2"]
        assert seen["x-forwarded-for"] == seen["x-real-ip"] == ["127.0.0.1"]
        assert seen["x-forwarded-proto"] == ["http"]
        assert seen["x-forwarded-host"] == ["app.example.com"]
        assert seen["x-forwarded-prefix"] == ["/s"]
        assert seen["forwarded"] == ['for=127.0.0.1;proto=http;host="app.example.com"']
        assert (seen["x-ogel-principal"], seen["x-ogel-kind"]) == (["key_1"], ["key"])
        assert seen["x-request-id"][0].startswith("req_")


@story
async def test_a_trusted_proxy_says_where_the_client_is_and_came_by() -> None:
    async with (
        scripted(OK) as server,
        gateway(f"/s={server.url};auth=open", trusted_proxies=[ip_network("127.0.0.0/8")]) as gate,
    ):
        answer = await get(gate, "/s", headers={"X-Real-IP": "2001:db8::1", "X-Forwarded-Proto": "https"})
        seen = head_of(server.seen[0])
        assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == (["2001:db8::1"], ["https"])
        assert seen["forwarded"][0].startswith('for="[2001:db8::1]";proto=https;')
        assert answer.headers.getall("Strict-Transport-Security") == ["max-age=63072000; includeSubDomains"]


@story
async def test_keys_of_ours_are_passed_on_only_where_that_is_wanted() -> None:
    async with scripted(OK) as server:
        setting = "\n".join(
            [
                f"/open={server.url};auth=open",
                f"/key={server.url};auth=key",
                f"/wants={server.url};auth=key;forward=authorization",
            ]
        )
        async with gateway(setting) as gate:
            for path, headers, arrives in (
                ("/open", {"Authorization": "Basic dTpw"}, ["Basic dTpw"]),
                ("/open", {"Authorization": "Bearer its-own"}, ["Bearer its-own"]),
                ("/open", ADMIN, None),
                ("/open", {"Authorization": "Bearer ogel_0123"}, None),
                ("/key", CALLER, None),
                ("/wants", CALLER, ["Bearer caller"]),
            ):
                assert (await get(gate, path, headers=headers)).status == 200
                assert head_of(server.seen[-1]).get("authorization") == arrives, (path, headers)


@pytest.mark.parametrize(
    ("auth", "allowed"),
    [
        ("open", {"nobody", "wrong", "caller", "studio", "person", "staff", "admin"}),
        ("key", {"caller", "studio", "person", "staff", "admin"}),
        ("user", {"person", "staff"}),
        ("admin", {"admin"}),
        ("studio:use", {"studio", "admin"}),
        ("label:staff", {"staff", "admin"}),
        ("team:t/admin", {"staff", "admin"}),
        ("team:t/owner", {"admin"}),
        ("users/unverified", {"person", "staff", "admin"}),
    ],
)
def test_who_is_let_in(auth: str, allowed: set[str]) -> None:
    async def go() -> None:
        async with scripted(OK) as server, gateway(f"/s={server.url};auth={auth}") as gate:
            for who in ("nobody", "wrong", "caller", "studio", "person", "staff", "admin"):
                headers = {"nobody": {}, "admin": ADMIN}.get(who, {"Authorization": f"Bearer {who}"})
                answer = await get(gate, "/s/x", headers=headers)
                refused = 401 if who in ("nobody", "wrong") else 403
                assert answer.status == (200 if who in allowed else refused), who
            assert server.asked == len(allowed)
            handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            if auth != "open":
                refused = await get(gate, "/s", headers={**handshake, "Sec-WebSocket-Key": "x" * 22 + "=="})
                assert refused.status == 401

    story(go)()


@story
async def test_what_is_not_said_is_for_operators() -> None:
    assert upstreams_of("/s=http://s")[0].auth == "admin"


@story
async def test_an_address_a_rate_and_maintenance_hold_up_before_the_upstream_is_asked() -> None:
    class On:
        async def notice(self) -> Notice | None:
            return Notice("Back at noon.", 9)

    async with scripted(OK) as server:
        async with gateway(f"/s={server.url};auth=open;allow=10.0.0.0/8 2001:db8::/32") as gate:
            assert (await get(gate, "/s")).status == 403
        async with gateway(f"/s={server.url};auth=open", gate=Gate((), On())) as gate:
            assert (await get(gate, "/s")).status == 503
            assert (await get(gate, "/health/live")).status == 200
        async with gateway(f"/s={server.url};auth=admin", gate=Gate((ip_network("10.0.0.0/8"),))) as gate:
            assert (await get(gate, "/s", headers=ADMIN)).status == 403
        assert server.asked == 0
        async with gateway(f"/s={server.url};auth=open;rate=2/1m", limited=True) as gate:
            assert [(await get(gate, "/s")).status for _ in range(3)] == [200, 200, 429]
        assert server.asked == 2


@story
async def test_our_own_paths_and_dialects_are_ours_and_the_rest_is_the_upstreams() -> None:
    async with (
        scripted(OK) as server,
        scripted(OK) as other,
        gateway(f"/={server.url};auth=open\n/a/b={other.url};auth=open,/a/gone=410") as gate,
    ):
        assert (await get(gate, "/health/live")).body != b"ok"
        for path in ("/", "/x", "/a", "/a/x", "/apix"):
            assert (await get(gate, path)).body == b"ok", path
        assert server.asked == 5
        for path in ("/a/b", "/a/b/", "/a/b/c"):
            assert (await get(gate, path)).body == b"ok", path
        assert (server.asked, other.asked) == (5, 3)
        gone = await get(gate, "/a/gone/x", "POST")
        assert (gone.status, gone.headers["Content-Type"]) == (410, "application/problem+json")


@pytest.mark.parametrize("path", ["/api/x", "/health", "/auth/v1", "/auth/v1/verify"])
def test_an_upstream_cannot_have_a_path_of_ours(path: str) -> None:
    async def go() -> None:
        with pytest.raises(ConfigError, match=f"OGEL_UPSTREAMS has {path}, but Ogel answers"):
            async with gateway(f"{path}=http://s"):
                pass

    story(go)()


@story
async def test_a_dialect_below_an_upstream_answers_all_that_is_below_it_itself() -> None:
    from ogel.runtime.http.dialect import Dialect
    from tests.support.http import World, ask, running
    from tests.support.shelf import PREFIX, Shelf

    async def reached(*_: Any) -> None:
        raise AssertionError("it must not get there")

    from ogel.runtime.http.access import OPEN
    from ogel.runtime.http.route import Mount

    below = Dialect("upstream", "", mount=Mount(reached, OPEN))
    async with running(World(dialects=[Shelf().dialect(), below])) as world:
        for path in (f"{PREFIX}/no/such/path", PREFIX, "/%73helf/v1/x", "/shelf%2fv1/x"):
            answer = await ask(world, "GET", path)
            assert (answer.status, answer.headers["Content-Type"]) == (404, "application/xml"), path


@story
async def test_pages_use_an_upstream_by_our_list_where_that_is_wanted() -> None:
    async def own_cors(request: web.Request) -> web.Response:
        return web.Response(headers={"Access-Control-Allow-Origin": "https://its.example", "Vary": "Accept"})

    async with upstream(own_cors) as url:
        app = "https://app.example.com"
        preflight = {"Origin": app, "Access-Control-Request-Method": "PUT"}
        async with gateway(f"/s={url};auth=key;cors=yes\n/own={url};auth=open", origins=[app]) as gate:
            answer = await get(gate, "/s", headers={**CALLER, "Origin": app})
            assert answer.headers.getall("Access-Control-Allow-Origin") == [app]
            assert answer.headers.getall("Vary") == ["Accept", "Origin"]
            asked = await get(gate, "/s", "OPTIONS", headers=preflight)
            assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, app)
            answer = await get(gate, "/own", headers={"Origin": app})
            assert answer.headers.getall("Access-Control-Allow-Origin") == ["https://its.example"]
            # Without it an OPTIONS is a request like others.
            assert (await get(gate, "/own", "OPTIONS", headers=preflight)).status == 200


@story
async def test_headers_are_set_and_removed_both_ways_and_its_own_url_is_rewritten() -> None:
    async def moved(request: web.Request) -> web.Response:
        seen = f"{request.headers.get('X-Set')} {request.headers.get('X-Gone')} {request.headers['Host']}"
        headers = {
            "Location": f"{url}/login?a=b",
            "X-Seen": seen,
            "X-Old": "1",
            "X-Powered-By": "PHP",
            "Server": "x",
        }
        return web.Response(status=302, headers=headers)

    async with upstream(moved) as url:
        options = "set=X-Set: one, two;remove=X-Gone;answer_set=X-New: yes;answer_remove=x-old;host=client"
        async with gateway(f"/s={url};auth=open;{options}") as gate:
            answer = await get(
                gate, "/s", headers={"X-Gone": "1", "X-Set": "mine", "Host": "app.example.com"}
            )
            assert answer.headers["Location"] == "/s/login?a=b"
            assert answer.headers["X-Seen"] == "one, two None app.example.com"
            assert answer.headers["X-New"] == "yes"
            for name in ("X-Old", "X-Powered-By", "Server"):
                assert name not in answer.headers


@story
async def test_heads_ranges_and_what_has_not_changed() -> None:
    async def file(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304, headers={"ETag": '"1"'})
        if request.headers.get("Range") == "bytes=2-3":
            return web.Response(status=206, body=b"cd", headers={"Content-Range": "bytes 2-3/6"})
        return web.Response(body=b"abcdef", headers={"ETag": '"1"', "Accept-Ranges": "bytes"})

    async with upstream(file) as url, gateway(f"/s={url};auth=open") as gate:
        head = await get(gate, "/s", "HEAD", headers={})
        assert (head.status, head.headers["Content-Length"], head.body) == (200, "6", b"")
        part = await get(gate, "/s", headers={"Range": "bytes=2-3"})
        assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"cd", "bytes 2-3/6")
        same = await get(gate, "/s", headers={"If-None-Match": '"1"'})
        assert (same.status, same.body, same.headers["ETag"]) == (304, b"", '"1"')


@story
async def test_compressed_bytes_are_passed_on_as_they_are() -> None:
    packed = gzip.compress(b"x" * 1000)

    async def compressed(request: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with upstream(compressed) as url, gateway(f"/s={url};auth=open") as gate:
        answer = await get(gate, "/s", headers={"Accept-Encoding": "gzip"})
        assert (answer.body, answer.headers["Content-Encoding"]) == (packed, "gzip")


@story
async def test_a_body_is_sent_on_as_it_comes_and_an_answer_comes_while_it_does() -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def talk(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for piece in request.content.iter_any():
            await arrived.put(piece)
            await answer.write(piece.upper())
        return answer

    async with upstream(talk) as url, gateway(f"/s={url};auth=open") as gate:
        more = asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            await more.wait()
            yield b"two"

        async with aiohttp.ClientSession() as session, session.post(f"{gate.url}/s", data=pieces()) as answer:
            assert await answer.content.readany() == b"ONE"
            assert await arrived.get() == b"one"
            assert answer.headers["Transfer-Encoding"] == "chunked"
            more.set()
            assert await answer.content.read() == b"TWO"


@story
async def test_who_waits_for_100_is_told_to_go_on_and_trailers_are_dropped() -> None:
    async with upstream(echo) as url, gateway(f"/s={url};auth=open") as gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(
            b"POST /s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"2\r\nhi\r\n0\r\nX-Trailer: 1\r\n\r\n")
        answer = await reader.read()
        writer.close()
        seen = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
        assert (seen["body"], seen["headers"].get("expect"), seen["headers"].get("x-trailer")) == (
            "hi",
            None,
            None,
        )


@story
async def test_server_sent_events_come_at_once_and_the_upstream_hears_that_the_client_left() -> None:
    left = asyncio.Event()

    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        try:
            await asyncio.sleep(30)
        finally:
            left.set()
        return answer

    runner_url = events
    app = web.Application(handler_args={"handler_cancellation": True})
    app.router.add_route("*", "/{tail:.*}", runner_url)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with (
        gateway(f"/s=http://127.0.0.1:{runner.addresses[0][1]};auth=open") as gate,
        aiohttp.ClientSession() as session,
    ):
        answer = await session.get(f"{gate.url}/s")
        assert await answer.content.readuntil(b"\n\n") == b"data: 1\n\n"
        answer.close()
        async with asyncio.timeout(5):
            await left.wait()
    await runner.cleanup()


@story
async def test_a_client_that_has_closed_its_sending_side_is_answered() -> None:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response(text="late")

    async with upstream(slow) as url, gateway(f"/s={url};auth=open") as gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.write_eof()
        assert (await reader.read()).endswith(b"late")
        writer.close()


@story
async def test_an_answer_that_lasts_ends_with_the_callers_key() -> None:
    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.sleep(30)
        return answer

    async with (
        upstream(events) as url,
        gateway(f"/s={url};auth=key") as gate,
        aiohttp.ClientSession() as session,
    ):
        answer = await session.get(f"{gate.url}/s", headers=CALLER)
        assert await answer.content.readuntil(b"\n\n") == b"data: 1\n\n"
        async with asyncio.timeout(5):
            while not gate.ended:
                await asyncio.sleep(0.05)
            gate.ended[0]("revoked")
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.content.read()
            answer.close()


@story
async def test_large_bodies_pass_in_little_memory() -> None:
    async def swallow(request: web.Request) -> web.StreamResponse:
        size = 0
        async for piece in request.content.iter_any():
            size += len(piece)
        answer = web.StreamResponse(headers={"Content-Length": str(size)})
        await answer.prepare(request)
        for _ in range(size // MIB):
            await answer.write(b"x" * MIB)
        return answer

    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * MIB

    async with upstream(swallow) as url, gateway(f"/s={url};auth=open;max_body=1GiB") as gate:

        async def both_ways(count: int) -> None:
            async with (
                aiohttp.ClientSession() as session,
                session.put(f"{gate.url}/s", data=pieces(count)) as answer,
            ):
                size = 0
                async for piece in answer.content.iter_any():
                    size += len(piece)
                assert size == count * MIB

        await both_ways(8)
        before = resident_bytes()
        await both_ways(192)
        assert resident_bytes() - before < 32 * MIB


@story
async def test_a_body_that_is_too_large_is_refused() -> None:
    async with upstream(echo) as url, gateway(f"/s={url};auth=open;max_body=1KiB") as gate:
        assert (await get(gate, "/s", "POST", {}, data=b"x" * 1024)).status == 201
        assert (await get(gate, "/s", "POST", {}, data=b"x" * 1025)).status == 413

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x" * 500

        assert (await get(gate, "/s", "POST", {}, data=pieces())).status == 413
        assert gate.metric("ogel_upstream_requests_total", upstream="/s", outcome="reset") == 0
