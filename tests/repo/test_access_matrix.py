"""The access matrix: every route and stream there is, asked by every kind of caller."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import ogel.features
from ogel.cli.routes import command
from ogel.features.accounts.errors import BadToken
from ogel.kernel.errors import Conflict
from ogel.kernel.principal import ANON, AUTHENTICATED, SERVICE, Caller, Principal
from ogel.platform.platform import Platform
from ogel.runtime.http.access import Access
from ogel.runtime.http.access_table import AccessRow, access_table
from ogel.runtime.http.app import build_app, with_shell
from ogel.runtime.http.credentials import KEY, TOKEN, Credential, by_key
from ogel.runtime.http.dialect import Dialects
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.openapi import Routes, Streams
from ogel.runtime.http.route import Call, Route, Stream
from ogel.settings import NOWHERE

ALL = {scope for feature in Platform(NOWHERE).features.all() for scope in feature.scopes}
AREAS = {scope.partition(":")[0] for scope in ALL}
# Whoever adds to these opens something to everyone.
OPEN = {
    ("GET", "/storage/v1/render/image/public/{bucket}/{name:path}"),
    ("GET", "/storage/v1/render/image/sign/{bucket}/{name:path}"),
    ("GET", "/api/health"),
    ("GET", "/api/messages/vapid-public-key"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/openapi.json"),
    # What people have not signed in with yet, or are known by as they ask; and public documents.
    ("GET", "/auth/v1/.well-known/jwks.json"),
    ("GET", "/auth/v1/.well-known/openid-configuration"),
    ("GET", "/auth/v1/authorize"),
    ("GET", "/auth/v1/callback"),
    ("GET", "/auth/v1/health"),
    ("GET", "/auth/v1/settings"),
    ("GET", "/auth/v1/verify"),
    ("POST", "/auth/v1/callback"),
    ("POST", "/auth/v1/magiclink"),
    ("POST", "/auth/v1/otp"),
    ("POST", "/auth/v1/recover"),
    ("POST", "/auth/v1/resend"),
    ("POST", "/auth/v1/signup"),
    ("POST", "/auth/v1/token"),
    ("POST", "/auth/v1/verify"),
    ("POST", "/auth/v1/verify/link"),
    # The token in a signed URL is what lets one in.
    ("GET", "/storage/v1/object/sign/{bucket}/{name:path}"),
    ("PUT", "/storage/v1/object/upload/sign/{bucket}/{name:path}"),
    # What of TUS is known here.
    ("OPTIONS", "/storage/v1/upload/resumable"),
    ("OPTIONS", "/storage/v1/upload/resumable/{id}"),
    ("OPTIONS", "/storage/v1/upload/resumable/sign"),
    ("OPTIONS", "/storage/v1/upload/resumable/sign/{id}"),
    # With a token for the object that it is to be.
    ("DELETE", "/storage/v1/upload/resumable/sign/{id}"),
    ("HEAD", "/storage/v1/upload/resumable/sign/{id}"),
    ("PATCH", "/storage/v1/upload/resumable/sign/{id}"),
    ("POST", "/storage/v1/upload/resumable/sign"),
    ("POST", "/storage/v1/upload/resumable/sign/{id}"),
    ("GET", "/storage/v1/status"),
    ("GET", "/storage/v1/version"),
}
# Whoever holds any key, or has signed in, may ask who they are.
OF_EVERYBODY_KNOWN = {("GET", "/api/me")}
# Dialects whose callers are let in whoever they are: policies on the rows tell what each may do.
BY_POLICY = {"storage", "tus", "s3", "s3 of storage"}
# Those that look for nothing but the signature of a request.
BY_SIGNATURE = {"s3", "s3 of storage"}
# What no route does by itself: other doors, and Ogel's own work.
ELSEWHERE = {
    "audit.export", "auth.code_refused", "auth.code_sent", "auth.code_used", "auth.factor_verified",
    "auth.link_made", "auth.refresh_reuse", "auth.rotate_keys", "auth.session_ended", "auth.sign_in",
    "auth.sign_in_failed",
    "backup.restore", "cleanup.purge", "factor.refuse", "key.refuse", "key.use",
    "secret.rotate",
}  # fmt: skip
# Reading so much is a thing to remember, too.
COPIES_ALL = {("GET", "/api/audit-logs/export")}
# What a delivery goes through is in the log of its attempts.
LOGGED_AS_ATTEMPTS = {
    ("POST", "/api/webhooks/{id}/handovers"),
    ("POST", "/api/webhooks/{id}/handovers/{handover}"),
}
# What happens to objects is told by events.
LOGGED_AS_EVENTS = {
    ("POST", "/api/storage/direct-uploads"),
    ("POST", "/api/storage/direct-uploads/{id}/confirm"),
    ("POST", "/api/storage/upload"),
}
# What people say to each other is no change of anything, and stands in the channel's history; nor is whom one lets in
# for a while.
SAID = {
    ("POST", "/api/channels/publish"),
    ("POST", "/api/channels/{name}/publish"),
    ("POST", "/api/channels/{name}/token"),
}
# The first message says who asks.
SAID_LATER = {("WEBSOCKET", "/connection/websocket")}
_ACTION = re.compile(r'(?:record|_record|_some|AuditEntry)\(\s*[^")]*f?"([a-z_]+\.[a-z_{}]+)"')


def declared() -> tuple[Routes, Streams, Dialects]:
    platform = Platform(NOWHERE)
    return platform.routes(everything=True), platform.streams(), platform.dialects()


def table() -> list[AccessRow]:
    routes, streams, dialects = declared()
    return access_table(with_shell(routes, streams), streams, dialects)


def own() -> list[AccessRow]:
    return [row for row in table() if row.dialect == "ogel"]


async def let_in(call: Call[Any, Any], *_: object) -> None:
    raise Conflict("let in")


async def authenticate(key: str, _: Caller) -> Principal | None:
    """A key is its kind and the scopes it has: `key:jobs:read+jobs:write`. One that was revoked is as none at all."""
    kind, _, scopes = key.partition(":")
    if kind == "publishable":
        return Principal("key", "key_p", role=ANON)
    if kind not in ("key", "admin", "system", "user", "anonymous"):
        return None
    return Principal(kind, f"{kind}_1", frozenset(filter(None, scopes.split("+"))))


async def by_token(credential: Credential, caller: Caller) -> Principal | None:
    """A token is what is said between `ey` and two dots."""
    match credential.value[2:-2]:
        case "aal1" | "aal2" as aal:
            return Principal("user", "user_1", role=AUTHENTICATED, claims={"aal": aal}, session="s")
        case "service_role":
            return Principal("key", SERVICE, frozenset({"accounts:*"}), role=SERVICE)
        case "anon":
            return Principal("key", ANON, role=ANON)
        case "ended":
            raise BadToken("Session from session_id claim in JWT does not exist", "session_not_found")
    raise BadToken("token is expired")


def app() -> ASGIApp:
    routes, streams, dialects = declared()
    shut = [(feature, replace(route, handler=let_in)) for feature, route in routes]
    mute = [(feature, replace(stream, handler=let_in)) for feature, stream in streams]
    spoken = [
        (feature, replace(dialect, routes=[replace(route, handler=let_in) for route in dialect.routes]))
        for feature, dialect in dialects
    ]
    return build_app(
        shut,
        mute,
        {KEY: by_key(authenticate), TOKEN: by_token},
        None,
        [],
        HttpOptions(),
        dialects=spoken,
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
        if row.dialect in BY_POLICY:
            assert (row.who in ("known", "anyone"), row.scope) == (True, None), row
            continue
        if (row.method, row.path) in OF_EVERYBODY_KNOWN:
            assert (row.who, row.scope) == ("known", None)
            continue
        if (row.method, row.path) in SAID_LATER:
            assert (row.who, row.scope) == ("anyone", None)
            continue
        if row.who == "user":  # who somebody is tells what is theirs
            assert row.scope is None, row
            continue
        assert row.scope is not None
        area = row.scope.partition(":")[0]
        reads = row.method in ("GET", "WEBSOCKET")
        assert row.scope == f"{area}:{'read' if reads else 'write'}", row
    assert {row.scope for row in table()} - {None} == ALL


class Asker(NamedTuple):
    """`principal` None: nobody that is known."""

    name: str
    headers: Mapping[bytes, bytes]
    principal: Principal | None = None


def strangers(scope: str) -> Iterator[Asker]:
    yield Asker("nobody", {})
    yield Asker("an unknown or revoked key", bearer("ogel_" + "x" * 43))
    yield Asker("no key", bearer(""))
    yield Asker("a key that is none", bearer("key:\xe9"))
    yield Asker("a key of any size", bearer("key:" + "k" * 5000))
    yield Asker("a password", {b"authorization": f"Basic key:{scope}".encode()})
    yield Asker("a cookie", {b"cookie": f"key=key:{scope}".encode()})
    yield Asker("an expired token", bearer("eyexpired.."))
    yield Asker("a token of a session that has ended", bearer("eyended.."))


def askers(scope: str) -> Iterator[Asker]:
    area = scope.partition(":")[0]
    others = {f"{each}:*" for each in AREAS if each != area} | (ALL - {scope})
    keys = (scope, f"{area}:*", "*", f"x:y+{scope}", "", "+".join(sorted(others)))
    for key in (
        *(f"key:{scopes}" for scopes in keys),
        "admin:*",
        "system:*",
        "user:",
        "user:*",
        "anonymous:*",
    ):
        kind, _, scopes = key.partition(":")
        yield Asker(key, bearer(key), Principal(kind, "", frozenset(scopes.split("+"))))  # type: ignore[arg-type]
    yield Asker("a publishable key", bearer("publishable:"), Principal("key", ""))
    yield Asker("a user at aal1", bearer("eyaal1.."), Principal("user", ""))
    yield Asker("a user at aal2", bearer("eyaal2.."), Principal("user", ""))
    yield Asker("service_role", bearer("eyservice_role.."), Principal("key", "", frozenset({"accounts:*"})))
    yield Asker("anon", bearer("eyanon.."), Principal("key", ""))


def allows(row: AccessRow, principal: Principal) -> bool:
    """The table, read once more."""
    if row.who == "user" or (row.who == "known" and principal.kind == "user"):
        return principal.kind == "user"
    if principal.kind not in ("key", "admin", "system"):
        return False
    needed = {row.scope, f"{(row.scope or '').partition(':')[0]}:*", "*"}
    return row.scope is None or bool(needed & principal.scopes)


def test_every_way_in_lets_in_whom_it_names_and_nobody_else() -> None:
    async def story() -> None:
        asked = app()
        for row in table():
            scope = row.scope or "jobs:read"
            for asker in (*strangers(scope), *askers(scope)):
                answered = await status(asked, row, asker.headers)
                refused = (401, 403)
                if row.dialect in BY_SIGNATURE:
                    assert (answered == 403) == (row.who == "known"), (row, asker)
                elif row.who in ("open", "anyone"):
                    assert answered not in refused, (row, asker)
                elif asker.principal is None:
                    # GoTrue forbids what comes as a token and is none.
                    assert answered == 401 or (row.dialect == "gotrue" and answered == 403), (row, asker)
                elif allows(row, asker.principal):
                    assert answered not in refused, (row, asker)
                else:
                    assert answered == 403, (row, asker)

    asyncio.run(story())


def test_an_apikey_says_nothing_of_who_asks_and_must_be_good() -> None:
    """Clients of Supabase send the publishable key beside the token of whoever has signed in."""

    async def story() -> None:
        asked = app()
        for row in (row for row in table() if row.dialect == "gotrue"):
            good, bad = {b"apikey": b"publishable:"}, {b"apikey": b"nobody"}
            with_user = await status(asked, row, {**good, **bearer("eyaal1..")})
            alone = await status(asked, row, good)
            assert (with_user not in (401, 403)) == (row.who != "key"), row
            assert (alone not in (401, 403)) == (row.who == "open"), row
            for beside in ({}, bearer("eyaal1.."), bearer("admin:*")):
                assert await status(asked, row, {**bad, **beside}) in (401, 403), row

    asyncio.run(story())


def test_only_streams_take_a_key_from_the_query() -> None:
    async def story() -> None:
        asked = app()
        for row in own():
            if row.who in ("open", "user", "anyone"):
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
    said = {action for row in table() for action in row.audit}
    for row in own():
        changes = row.method not in ("GET", "WEBSOCKET") or (row.method, row.path) in COPIES_ALL
        logged = (row.method, row.path) in LOGGED_AS_ATTEMPTS | LOGGED_AS_EVENTS | SAID
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
    for row in own():
        match row.rate:
            case "none":
                assert row.who == "open" or row.scope == "metrics:read", row
            case "read":
                assert row.method == "GET", row
            case "stream":
                assert row.path.startswith(("/realtime/", "/connection/")), row
            case _:
                assert row.method not in ("GET", "WEBSOCKET"), row


def test_the_command_shows_the_table() -> None:
    shown = CliRunner().invoke(command, ["--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["items"] == msgspec.to_builtins(table())
    written = CliRunner().invoke(command).stdout
    assert "/realtime/websocket" in written and "/auth/v1/token" in written


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
    for who in ("key", "open"):
        with pytest.raises(ValueError, match="label:staff"):
            Access(who, None if who == "open" else "jobs:read", "read", role="label:staff")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is no role"):
        Access("user", None, "read", role="staff")


def test_people_are_let_in_by_role() -> None:
    for role, have in (
        ("label:staff", ["label:staff"]),
        ("team:t/owner", ["team:t", "team:t/owner"]),
        ("users/verified", ["users/verified"]),
        ("user:user_1", []),
        ("users", []),
    ):
        for who in ("user", "known"):
            access = Access(who, None if who == "user" else "jobs:read", "read", role=role)  # type: ignore[arg-type]
            assert access.lacks(Principal("user", "user_1", claims={"roles": have})) is None
            assert (access.lacks(Principal("user", "user_2", claims={"roles": ["team:t"]})) is None) == (
                role == "users"
            )
            key = Principal("key", "key_1", frozenset({"jobs:read"}))
            assert (access.lacks(key) is None) == (who == "known")
            assert access.lacks(Principal("key", "key_p", role=ANON)) is not None
            assert access.needed(Principal("user", "user_1")) == role
            assert access.needed(key) == ("" if who == "user" else "jobs:read")
