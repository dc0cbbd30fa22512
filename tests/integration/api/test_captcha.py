"""A captcha's service is asked, with our secret, and nobody is believed without it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.services import Accounts
from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import ANONYMOUS, Caller
from tests.support.world import World

CALLER = Caller(ANONYMOUS, "req_1", "192.0.2.1")


class _Service(BaseHTTPRequestHandler):
    """Takes the token `good`, and answers `nonsense` with some."""

    asked: list[dict[str, list[str]]]

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.asked.append(fields)
        token = fields["response"][0]
        answer = {"success": token == "good", "error-codes": [] if token == "good" else ["invalid"]}
        body = b"<html>" if token == "nonsense" else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def asked(suite_servers: dict[str, str]) -> Iterator[tuple[World, list[dict[str, list[str]]]]]:
    heard: list[dict[str, list[str]]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Service", (_Service,), {"asked": heard}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/siteverify"
    settings = {"OGEL_CAPTCHA": "turnstile", "OGEL_CAPTCHA_SECRET": "our secret", "OGEL_CAPTCHA_URL": url}
    with World(**suite_servers, **settings) as world:
        yield world, heard
    server.shutdown()
    server.server_close()


def check(world: World, token: str | None) -> None:
    accounts: Accounts = world.platform.features["accounts"].offers
    asyncio.run_coroutine_threadsafe(accounts.captcha.check(CALLER, token), world._loop).result(10)


def test_who_solved_it_passes(asked: tuple[World, list[dict[str, list[str]]]]) -> None:
    world, heard = asked
    check(world, "good")
    assert heard[-1] == {"secret": ["our secret"], "response": ["good"], "remoteip": ["192.0.2.1"]}


@pytest.mark.parametrize("token", [None, "", "bad", "x" * 10_000])
def test_who_did_not_is_refused(asked: tuple[World, Any], token: str | None) -> None:
    with pytest.raises(AccountError) as refused:
        check(asked[0], token)
    assert (refused.value.status, refused.value.code) == (400, "captcha_failed")


def test_without_an_answer_nobody_is_believed(asked: tuple[World, Any]) -> None:
    with pytest.raises(Unavailable):
        check(asked[0], "nonsense")


def test_without_a_captcha_everybody_passes(api: World) -> None:
    check(api, None)
