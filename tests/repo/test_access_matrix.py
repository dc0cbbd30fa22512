"""The access matrix: every route and stream there is, asked by every kind of caller."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import ogel.features
from ogel.cli.routes import command
from ogel.kernel.errors import Conflict
from ogel.kernel.principal import Caller, Principal
from ogel.platform.platform import Platform
from ogel.runtime.http.access import Access
from ogel.runtime.http.access_table import AccessRow, access_table
from ogel.runtime.http.app import build_app, with_shell
from ogel.runtime.http.credentials import KEY, by_key
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.openapi import Routes, Streams
from ogel.runtime.http.route import Call, Route, Stream
from ogel.settings import NOWHERE

ALL = {scope for feature in Platform(NOWHERE).features.all() for scope in feature.scopes}
AREAS = {scope.partition(":")[0] for scope in ALL}
# Whoever adds to these opens something to everyone.
OPEN = {
    ("GET", "/api/health"),
    ("GET", "/api/messages/vapid-public-key"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/openapi.json"),
}
# Whoever holds any key, or has signed in, may ask who they are.
OF_EVERYBODY_KNOWN = {("GET", "/api/me")}
# What no route does by itself: other doors, and Ogel's own work.
ELSEWHERE = {
    "audit.export", "auth.code_refused", "auth.code_sent", "auth.code_used", "auth.factor_verified", "auth.link_made",
    "auth.refresh_reuse", "auth.rotate_keys", "auth.session_ended", "auth.sign_in", "auth.sign_in_failed",
    "backup.restore", "cleanup.purge", "factor.refuse", "key.refuse", "key.use",
    "secret.rotate", "user.create", "user.delete", "user.update",
}  # fmt: skip
# What a delivery goes through is in the log of its attempts.
LOGGED_AS_ATTEMPTS = {
    ("POST", "/api/webhooks/{id}/handovers"),
    ("POST", "/api/webhooks/{id}/handovers/{handover}"),
}
_ACTION = re.compile(r'(?:record|_record|_some|AuditEntry)\(\s*[^")]*f?"([a-z_]+\.[a-z_{}]+)"')


def declared() -> tuple[Routes, Streams]:
    platform = Platform(NOWHERE)
    return platform.routes(everything=True), platform.streams()


def table() -> list[AccessRow]:
    routes, streams = declared()
    return access_table(with_shell(routes, streams), streams)


def accesses_of_dialects() -> list[Access]:
    return [route.access for _, dialect in Platform(NOWHERE).dialects() for route in dialect.routes]


async def let_in(call: Call[Any, Any], *_: object) -> None:
    raise Conflict("let in")


async def authenticate(key: str, _: Caller) -> Principal | None:
    """A key is its kind and the scopes it has: `key:jobs:read+jobs:write`."""
    kind, _, scopes = key.partition(":")
    if kind not in ("key", "admin", "system", "user", "anonymous"):
        return None
    return Principal(kind, f"{kind}_1", frozenset(filter(None, scopes.split("+"))))


def app() -> ASGIApp:
    routes, streams = declared()
    shut = [(feature, replace(route, handler=let_in)) for feature, route in routes]
    mute = [(feature, replace(stream, handler=let_in)) for feature, stream in streams]
    return build_app(
        shut, mute, {KEY: by_key(authenticate)}, HttpMetrics(CollectorRegistry()), [], HttpOptions()
    )


async def status(
    asked: ASGIApp, row: AccessRow, headers: Mapping[bytes, bytes] | None = None, query: bytes = b""
) -> int:
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if "status" in message:
            statuses.append(message["status"])

    path = re.sub(r"[{}]", "", row.path)
    scope: dict[str, Any] = {
        "type": "websocket" if row.method == "WEBSOCKET" else "http",
        "method": row.method,
        "path": path,
        "raw_path": path.encode(),
        "headers": list((headers or {}).items()),
        "query_string": query,
    }
    await asked(scope, receive, send)
    return statuses[0]


def bearer(key: str) -> Mapping[bytes, bytes]:
    return {b"authorization": f"Bearer {key}".encode()}


def test_each_scope_is_of_the_area_and_tells_reading_from_writing() -> None:
    for row in table():
        if row.who == "open":
            assert (row.method, row.path) in OPEN, f"{row.path} is open to everyone"
            continue
        if (row.method, row.path) in OF_EVERYBODY_KNOWN:
            assert (row.who, row.scope) == ("known", None)
            continue
        if row.who == "user":  # who somebody is tells what is theirs
            assert row.scope is None, row
            continue
        assert row.scope is not None
        area = row.scope.partition(":")[0]
        reads = row.method in ("GET", "WEBSOCKET")
        assert row.scope == f"{area}:{'read' if reads else 'write'}", row
    of_dialects = {access.scope for access in accesses_of_dialects()}
    assert ({row.scope for row in table()} | of_dialects) - {None} == ALL


def test_every_way_in_lets_in_whom_it_names_and_nobody_else() -> None:
    async def story() -> None:
        asked = app()
        for row in table():
            if row.who == "open":
                assert await status(asked, row) not in (401, 403), row
                assert await status(asked, row, bearer("nobody")) not in (401, 403), row
                continue
            await strangers(asked, row)
            if row.who == "user":
                for principal in ("user:", "user:*"):
                    assert await status(asked, row, bearer(principal)) not in (401, 403), (row, principal)
                for principal in ("key:*", "admin:*", "system:*", "anonymous:*"):
                    assert await status(asked, row, bearer(principal)) == 403, (row, principal)
                continue
            if row.scope is None:
                for principal in ("key:", "key:jobs:read", "admin:*", "user:"):
                    assert await status(asked, row, bearer(principal)) == 200, (row, principal)
                assert await status(asked, row, bearer("anonymous:*")) == 403, row
                continue
            await whoever_has_the_scope(asked, row, row.scope)
            await whoever_lacks_it(asked, row, row.scope)

    asyncio.run(story())


async def strangers(asked: ASGIApp, row: AccessRow) -> None:
    nobody: list[Mapping[bytes, bytes]] = [
        {},
        bearer("nobody"),
        bearer(""),
        bearer("key:\xe9"),
        bearer("key:" + "k" * 5000),
        {b"authorization": f"Basic key:{row.scope}".encode()},
        {b"cookie": f"key=key:{row.scope}".encode()},
    ]
    for headers in nobody:
        assert await status(asked, row, headers) == 401, (row, headers)


async def whoever_has_the_scope(asked: ASGIApp, row: AccessRow, scope: str) -> None:
    area = scope.partition(":")[0]
    for principal in (f"key:{scope}", f"key:{area}:*", "key:*", f"key:x:y+{scope}", "admin:*", "system:*"):
        assert await status(asked, row, bearer(principal)) not in (401, 403), (row, principal)


async def whoever_lacks_it(asked: ASGIApp, row: AccessRow, scope: str) -> None:
    area = scope.partition(":")[0]
    others = {f"{each}:*" for each in AREAS if each != area} | (ALL - {scope})
    # Neither people who signed in nor who is nobody hold keys, whatever they are allowed elsewhere.
    nobody = {"anonymous:*"} if row.who == "known" else {"user:*", "anonymous:*"}
    for principal in ("key:", f"key:{'+'.join(sorted(others))}", *nobody):
        assert await status(asked, row, bearer(principal)) == 403, (row, principal)


def test_only_streams_take_a_key_from_the_query() -> None:
    async def story() -> None:
        asked = app()
        for row in table():
            if row.who == "open":
                continue
            in_query = f"key=key:{row.scope}".encode()
            expected = (409,) if row.rate == "stream" else (401,)
            assert await status(asked, row, query=in_query) in expected, row
            assert await status(asked, row, query=b"key=nobody") == 401, row

    asyncio.run(story())


def test_what_changes_something_says_what_the_audit_log_calls_it() -> None:
    recorded = set[str]()
    for file in Path(ogel.features.__path__[0]).rglob("*.py"):
        recorded |= set(_ACTION.findall(file.read_text()))
    said = {action for row in (*table(), *accesses_of_dialects()) for action in row.audit}
    for row in table():
        changes = row.method not in ("GET", "WEBSOCKET")
        logged = (row.method, row.path) in LOGGED_AS_ATTEMPTS
        assert bool(row.audit) == (changes and not logged), row
    # An action that is put together says only how it begins.
    whole = {action for action in recorded if "{" not in action}
    begun = {action.partition("{")[0] for action in recorded - whole}
    assert {action for action in whole - said if not action.startswith(tuple(begun))} <= ELSEWHERE
    unknown = {action for action in said - recorded if not action.startswith(tuple(begun))}
    assert all(action in _sources() for action in unknown), unknown


def _sources() -> str:
    return "\n".join(file.read_text() for file in Path(ogel.features.__path__[0]).rglob("service.py"))


def test_each_rate_is_one_that_fits() -> None:
    for row in table():
        match row.rate:
            case "none":
                assert row.who == "open" or row.scope == "metrics:read", row
            case "read":
                assert row.method == "GET", row
            case "stream":
                assert row.path.startswith("/realtime/"), row
            case _:
                assert row.method not in ("GET", "WEBSOCKET"), row


def test_the_command_shows_the_table() -> None:
    shown = CliRunner().invoke(command, ["--json"])
    assert shown.exit_code == 0, shown.output
    own = [row for row in json.loads(shown.stdout)["items"] if row["dialect"] == "ogel"]
    assert own == msgspec.to_builtins(table())
    assert "/realtime/websocket" in CliRunner().invoke(command).stdout


@pytest.mark.parametrize("access", [None, "jobs:read"])
def test_start_up_fails_where_a_route_or_stream_declares_nothing(access: Any) -> None:
    async def stream(call: Call[None, Any], scope: Scope, receive: Receive, send: Send) -> None: ...

    def build(routes: Routes, streams: Streams) -> None:
        build_app(routes, streams, {}, HttpMetrics(CollectorRegistry()), [], HttpOptions())

    with pytest.raises(ValueError, match=r"/api/x declares no Access"):
        build([("mine", Route("GET", "/api/x", let_in, access, "x"))], [])
    with pytest.raises(ValueError, match=r"/x/sse declares no Access"):
        build([], [("mine", Stream("/x/sse", stream, access, "x", None, "text/event-stream"))])


def test_an_access_that_contradicts_itself_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="open"):
        Access("open", "jobs:read", "read")
    with pytest.raises(ValueError, match="key"):
        Access("key", None, "read")
