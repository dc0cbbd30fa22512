"""Every route and stream there is answers with the security headers, whatever the answer is."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message

from ogel.kernel.errors import NotFound, RateLimited
from ogel.kernel.principal import Caller, Principal
from ogel.platform.platform import Platform
from ogel.runtime.http.access_table import AccessRow, access_table
from ogel.runtime.http.app import build_app, with_shell
from ogel.runtime.http.credentials import KEY, by_key
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.route import Call, Text
from ogel.runtime.http.shield import SHIELD
from ogel.settings import NOWHERE

PLATFORM = Platform(NOWHERE)
# What a handler does, and the status that comes of it.
ENDS: tuple[tuple[Exception | None, int], ...] = (
    (None, 200),
    (NotFound("gone"), 404),
    (RateLimited("slower", retry_after_seconds=1), 429),
    (ZeroDivisionError("a defect"), 500),
)


async def authenticate(key: str, _: Caller) -> Principal | None:
    return Principal("user" if key == "user" else "key", "all", frozenset({"*"})) if key else None


def app_that_ends(error: Exception | None) -> ASGIApp:
    async def ends(call: Call[Any, Any], *_: object) -> Text:
        if error is not None:
            raise error
        return Text(b"", "text/plain")

    dialects = [
        (
            feature,
            replace(
                dialect,
                routes=[replace(route, handler=ends, body=None, query=None) for route in dialect.routes],
                streams=[replace(stream, handler=ends) for stream in dialect.streams],
            ),
        )
        for feature, dialect in PLATFORM.dialects()
    ]
    return build_app(
        [
            (feature, replace(route, handler=ends, body=None, query=None))
            for feature, route in PLATFORM.routes(True)
        ],
        [(feature, replace(stream, handler=ends)) for feature, stream in PLATFORM.streams()],
        {KEY: by_key(authenticate)},
        HttpMetrics(CollectorRegistry()),
        [],
        HttpOptions(),
        dialects=dialects,
    )


def rows() -> Iterator[AccessRow]:
    routes, streams = PLATFORM.routes(everything=True), PLATFORM.streams()
    yield from access_table(with_shell(routes, streams), streams, PLATFORM.dialects())


async def answered(
    app: ASGIApp, row: AccessRow, method: str, key: str
) -> tuple[int, list[tuple[bytes, bytes]]]:
    starts: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if "status" in message:
            starts.append(message)

    path = re.sub(r"[{}]", "", row.path).replace(":path", "")
    scope = {
        "type": "websocket" if row.method == "WEBSOCKET" else "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "headers": [(b"authorization", f"Bearer {key}".encode())] if key else [],
        "query_string": b"",
    }
    await app(scope, receive, send)
    return (starts[0]["status"], starts[0]["headers"]) if starts else (0, [])


@pytest.mark.parametrize(("error", "status"), ENDS)
def test_every_answer_of_every_route_has_the_security_headers(error: Exception | None, status: int) -> None:
    async def ask_all() -> Counter[int]:
        app, seen = app_that_ends(error), Counter[int]()
        for row in rows():
            key = "user" if row.who == "user" else "all"
            for method, by in ((row.method, key), (row.method, ""), ("BREW", key)):
                got, headers = await answered(app, row, method, by)
                if not got:
                    continue  # a stream that its handler never begins
                seen[got] += 1
                names = [name for name, _ in headers]
                for name, value in SHIELD:
                    assert (name, value) in headers and names.count(name) == 1, (row, method, got, name)
                assert b"server" not in names and b"x-request-id" in names
        return seen

    with structlog.testing.capture_logs():  # the tracebacks of defects are long
        seen = asyncio.run(ask_all())
    assert {status, 401, 405} <= set(seen)
    assert seen[status] > 60
