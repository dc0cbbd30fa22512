"""Every way in, tried with every scope: a key may do what its scopes say, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message

from ogel.features.keys.service import SCOPES
from ogel.features.realtime.routes import SCOPE, streams
from ogel.kernel.errors import Conflict
from ogel.kernel.principal import Caller, Principal
from ogel.platform import NOWHERE, Platform
from ogel.runtime.http.app import build_app
from ogel.runtime.http.endpoint import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.route import Call, Route
from ogel.runtime.realtime.hub import Hub, HubOptions
from ogel.runtime.realtime.metrics import RealtimeMetrics
from tests.support.realtime import Nowhere, ScriptedWatch

ALL = {f"{area}:{action}" for area, actions in SCOPES.items() for action in actions}
OPEN = {("GET", "/api/messages/vapid-public-key")}
STREAMS = [("GET", "/realtime/sse", SCOPE)]


async def admitted(call: Call[Any, Any]) -> None:
    raise Conflict("let in")


async def authenticate(key: str, _: Caller) -> Principal:
    """A key is the scopes it has."""
    return Principal("key_1", frozenset(key.split("+")))


def app_of(routes: list[tuple[str, Route]]) -> ASGIApp:
    registry = CollectorRegistry()
    full = Hub(RealtimeMetrics(registry), HubOptions(max_subscriptions=0))
    ways = [(feature, replace(route, handler=admitted)) for feature, route in routes]
    doors = [("realtime", door) for door in streams(full, Nowhere(), authenticate, ScriptedWatch())]
    return build_app(ways, doors, authenticate, HttpMetrics(registry), [], HttpOptions())


async def status(app: ASGIApp, method: str, path: str, key: str | None) -> int:
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if "status" in message:
            statuses.append(message["status"])

    headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "headers": headers,
        "query_string": b"",
    }
    await app(scope, receive, send)
    return statuses[0]


def ways(routes: list[tuple[str, Route]]) -> Iterator[tuple[str, str, str | None]]:
    yield from ((route.method, route.path, route.scope) for _, route in routes)
    yield from STREAMS


def test_every_way_in_wants_its_scope_and_no_other() -> None:
    routes = [(feature.name, route) for feature in Platform(NOWHERE).features for route in feature.routes()]

    async def story() -> None:
        app = app_of(routes)
        for method, path, needed in ways(routes):
            here = path.replace("{", "").replace("}", "")
            if needed is None:
                assert (method, path) in OPEN, f"{method} {path} is open to everyone"
                continue
            area = needed.partition(":")[0]
            assert needed == f"{area}:{'read' if method == 'GET' else 'write'}", (method, path)
            assert await status(app, method, here, None) == 401
            for enough in (needed, f"{area}:*", "*", f"x:y+{needed}"):
                assert await status(app, method, here, enough) not in (401, 403), (method, path, enough)
            others = {f"{each}:*" for each in SCOPES if each != area} | (ALL - {needed})
            assert await status(app, method, here, "+".join(sorted(others))) == 403, (method, path)

    asyncio.run(story())


def test_a_key_can_have_what_some_way_in_wants() -> None:
    routes = [(feature.name, route) for feature in Platform(NOWHERE).features for route in feature.routes()]
    assert {scope for _, _, scope in ways(routes) if scope is not None} == ALL
