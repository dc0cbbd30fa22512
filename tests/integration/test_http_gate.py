"""The shell's own duties, at a real port: what browsers are told, which pages may ask, and who is held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest

from ogel.kernel.principal import Principal
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.gate import Gate, Notice
from ogel.runtime.http.shield import SHIELD
from tests.support.http import KEYS, READER, Answer, World, ask, ask_raw, expect_problem, running, story
from tests.support.shelf import PREFIX, Shelf

APP, PREVIEWS, STRANGER = "https://app.example.com", "https://*.preview.example.com", "https://evil.example"
HERE = (ip_network("127.0.0.0/8"),)


@asynccontextmanager
async def for_pages(*origins: str) -> AsyncIterator[World]:
    """With a dialect beside it that pages of one other origin may use by itself."""
    async with running(World(dialects=[Shelf().dialect()]), origins=origins) as world:
        yield world


def expect_shield(headers: Any) -> None:
    for name, value in SHIELD:
        assert headers.getall(name.decode()) == [value.decode()], name
    assert "Server" not in headers


@story
async def test_every_answer_tells_browsers_what_not_to_do() -> None:
    async with running() as world:
        for path, headers, status in (
            ("/health/live", {}, 200),
            ("/api/things/1", READER, 200),
            ("/api/things/1", {}, 401),
            ("/nowhere", {}, 404),
            ("/%FF", {}, 400),
            ("/api/fail/limited", {}, 429),
            ("/api/fail/bug", {}, 500),
            ("/realtime/sse", {}, 200),
            ("/realtime/ws", {"Connection": "Upgrade", "Upgrade": "websocket", **_HANDSHAKE}, 401),
        ):
            answer = await ask(world, "GET", path, headers=headers)
            assert answer.status == status, path
            expect_shield(answer.headers)
        expect_shield((await ask(world, "PATCH", "/health/live")).headers)
        # What the server answers itself, too.
        raw = await ask_raw(world, b"GET / HTTP/9.9\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 505 ")
        for name, value in SHIELD:
            assert b"%b: %b\r\n" % (name, value) in raw


_HANDSHAKE = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


@pytest.mark.parametrize(
    ("proto", "trusted", "said"),
    [
        ("https", True, True),
        ("HTTPS", True, True),
        ("http", True, False),
        ("https", False, False),
        (None, True, False),
    ],
)
def test_https_is_asked_for_only_of_those_who_came_by_it(
    proto: str | None, trusted: bool, said: bool
) -> None:
    async def asked() -> None:
        async with running(trusted_proxies=HERE if trusted else ()) as world:
            headers = {} if proto is None else {"X-Forwarded-Proto": proto}
            answer = await ask(world, "GET", "/nowhere", headers=headers)
            hsts = "max-age=63072000; includeSubDomains"
            assert answer.headers.getall("Strict-Transport-Security", []) == ([hsts] if said else [])

    story(asked)()


@story
async def test_two_protocols_are_none() -> None:
    async with running(trusted_proxies=HERE) as world:
        raw = await ask_raw(
            world,
            b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n\r\n",
        )
        assert b"strict-transport-security" not in raw


@story
async def test_without_a_setting_no_page_may_use_the_api() -> None:
    async with for_pages() as world:
        answer = await ask(world, "GET", "/api/things/1", headers={**READER, "Origin": APP})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert (await ask(world, "OPTIONS", "/api/things/1", headers=_preflight(APP))).status == 405


@story
async def test_pages_on_the_list_may_use_the_api_and_dialects_and_no_others() -> None:
    async with for_pages(APP, PREVIEWS) as world:
        for path, headers in (
            ("/api/things/1", READER),
            ("/api/things/1", {}),
            ("/nowhere", {}),
            ("/api/fail/bug", {}),
            (f"{PREFIX}/nowhere", {}),
        ):
            for origin, allowed in (
                (APP, True),
                ("https://pr-7.preview.example.com", True),
                ("https://preview.example.com", False),
                ("https://evil.example/.preview.example.com", False),
                ("http://app.example.com", False),
                ("https://app.example.com:8443", False),
                (STRANGER, False),
                ("null", False),
                (None, False),
            ):
                named: Mapping[str, str] = {} if origin is None else {"Origin": origin}
                answer = await ask(world, "GET", path, headers={**headers, **named})
                told = answer.headers.getall("Access-Control-Allow-Origin", [])
                assert told == ([origin] if allowed else []), (path, origin)
                assert "Origin" in answer.headers.getall("Vary"), (path, origin)
                # The dialect asks for them.
                credentials = "Access-Control-Allow-Credentials" in answer.headers
                assert credentials == (allowed and path.startswith(PREFIX)), (path, origin)


@story
async def test_a_preflight_is_answered_without_a_key() -> None:
    async with for_pages(APP) as world:
        answer = await ask(world, "OPTIONS", "/api/things/1", headers=_preflight(APP))
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, APP)
        assert answer.headers["Access-Control-Allow-Methods"] == "DELETE, GET, HEAD, OPTIONS"
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization"
        refused = await ask(world, "OPTIONS", "/api/things/1", headers=_preflight(STRANGER))
        assert not [name for name in refused.headers if name.startswith("Access-Control")]


@story
async def test_a_star_is_everyone_without_credentials() -> None:
    async with for_pages("*") as world:
        for path in ("/api/things/1", f"{PREFIX}/nowhere"):
            answer = await ask(world, "GET", path, headers={**READER, "Origin": STRANGER})
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in answer.headers
    with pytest.raises(ValueError, match="credentials"):
        Cors(("*",), credentials=True)


@story
async def test_a_page_that_is_not_on_the_list_opens_no_websocket() -> None:
    async with for_pages(APP) as world, aiohttp.ClientSession() as session:
        same = f"http://127.0.0.1:{world.port}"
        for origin in (None, APP, same):
            async with session.ws_connect(f"{world.url}/realtime/ws?key=x", origin=origin) as socket:
                await socket.send_str("hello")
                assert (await socket.receive_str()).endswith("hello")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{world.url}/realtime/ws?key=x", origin=STRANGER)
        assert refused.value.status == 403


def _preflight(origin: str) -> Mapping[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }


class Switch:
    def __init__(self) -> None:
        self.on = True

    async def notice(self) -> Notice | None:
        return Notice("Back at noon.", 90) if self.on else None


@story
async def test_in_maintenance_health_and_operators_are_answered() -> None:
    switch = Switch()
    async with running(World(gate=Gate((), switch))) as world:
        answer = await ask(world, "GET", "/api/things/1", headers=READER)
        assert expect_problem(answer, 503)["detail"] == "Back at noon."
        assert answer.headers["Retry-After"] == "90"
        stream = await ask(world, "GET", "/realtime/sse")
        assert stream.status == 200  # it is declared as health is
        for path in ("/health/live", "/health/ready", "/api/health", "/openapi.json"):
            assert (await ask(world, "GET", path)).status == 200, path
        assert (await ask(world, "GET", "/api/things/1", headers=_OPERATOR)).status == 200
        switch.on = False
        assert (await ask(world, "GET", "/api/things/1", headers=READER)).status == 200


_OPERATOR = {"Authorization": "Bearer key-of-an-operator"}


@story
async def test_who_may_everything_is_let_in_from_some_networks_only() -> None:
    async def asked(networks: Any, **options: Any) -> dict[str, Answer]:
        async with running(World(gate=Gate(networks)), **options) as world:
            elsewhere = {"X-Real-IP": "203.0.113.9"}
            return {
                "operator": await ask(world, "GET", "/api/things/1", headers=_OPERATOR),
                "operator elsewhere": await ask(
                    world, "GET", "/api/things/1", headers={**_OPERATOR, **elsewhere}
                ),
                "reader elsewhere": await ask(world, "GET", "/api/things/1", headers={**READER, **elsewhere}),
                "health": await ask(world, "GET", "/health/live", headers=elsewhere),
            }

    found = await asked(HERE, trusted_proxies=HERE)
    assert {name: answer.status for name, answer in found.items()} == {
        "operator": 200, "operator elsewhere": 403, "reader elsewhere": 200, "health": 200,
    }  # fmt: skip
    # Whoever is no trusted proxy cannot say that it is somewhere else.
    found = await asked((ip_network("203.0.113.0/24"),))
    assert {found["operator"].status, found["operator elsewhere"].status} == {403}


@pytest.fixture(autouse=True)
def _an_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEYS, "key-of-an-operator", Principal("key", "key_operator", frozenset({"*"})))


def test_a_look_that_one_caller_leaves_goes_on_for_others() -> None:
    """See features/gateway/maintenance: asked here, because it needs a database that hangs."""
    from ogel.features.gateway.maintenance.service import MaintenanceService

    class Hanging:
        asked = 0

        def autocommit(self) -> Any:
            self.asked += 1
            return asyncio.timeout(60)

    async def looked() -> None:
        database = Hanging()
        service = MaintenanceService(database, None, False)  # type: ignore[arg-type]
        first, second = (asyncio.create_task(service.notice()) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        assert await second is None
        assert database.asked == 1

    asyncio.run(looked())
