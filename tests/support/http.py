"""The HTTP shell on a real port, with handlers of every kind behind it, for tests to ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import aiohttp
import msgspec
import psycopg
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, RateLimited, Unauthenticated
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http import server
from ogel.runtime.http.access import OPEN, Access
from ogel.runtime.http.app import build_app
from ogel.runtime.http.credentials import KEY, Authenticate, by_key
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.gate import Gate
from ogel.runtime.http.health import Probe
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics, Traffic
from ogel.runtime.http.route import Call, Reply, Route, Stream, StreamHandler, Text, Timestamp
from ogel.runtime.metrics.tallies import Tallies
from ogel.runtime.rates.limiter import Limiter

KEYS = {
    "key-of-a-writer": Principal("key", "key_writer", frozenset({"things:write"})),
    "key-of-a-reader": Principal("key", "key_reader", frozenset({"things:read"})),
    "key-of-a-shelf": Principal("key", "key_shelf", frozenset({"shelf:*"})),
}
WRITER = {"Authorization": "Bearer key-of-a-writer"}
READER = {"Authorization": "Bearer key-of-a-reader"}
MAX_BODY = 64 * 1024


class NewThing(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    data: Any = None


class Thing(msgspec.Struct):
    id: str
    made_by: str
    made_at: Timestamp


class Search(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 25


@dataclass
class World:
    """One running server, and the signals its handlers wait for and give."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    tallies: Tallies = field(default_factory=Tallies)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    traffic: Traffic = field(default_factory=Traffic)
    postgres: Callable[[], Awaitable[bool]] | None = None
    redis_up: bool = True
    limiter: Limiter | None = None
    gate: Gate | None = None
    more_streams: Mapping[str, Callable[[WebSocket], Awaitable[None]]] = field(default_factory=dict)
    dialects: Sequence[Dialect] = ()
    authenticators: Mapping[str, Authenticate] = field(default_factory=dict)
    port: int = 0
    serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def stopped(self) -> None:
        self.stop.set()
        assert self.serving is not None
        await self.serving

    def routes(self) -> list[tuple[str, Route]]:
        async def make(call: Call[NewThing, None]) -> Thing:
            return Thing("thing_1", call.principal.id, utc_now().replace(microsecond=0))

        async def show(call: Call[None, None]) -> dict[str, Any]:
            return {"id": call.path["id"], "ip": call.caller.ip, "agent": call.caller.user_agent}

        async def search(call: Call[None, Search]) -> Reply:
            return Reply({"limit": call.query.limit}, headers={"Cache-Control": "max-age=5"})

        async def remove(call: Call[None, None]) -> None:
            return None

        async def fail(call: Call[None, None]) -> None:
            match call.path["how"]:
                case "bug":
                    raise ZeroDivisionError("the secret of the bug")
                case "conflict":
                    raise Conflict("It is paused.")
                case "limited":
                    raise RateLimited("Slow down.", retry_after_seconds=7)
                case "database":
                    raise psycopg.OperationalError("connection to 10.0.0.5 failed")
                case "data":
                    raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")

        async def wait(call: Call[None, None]) -> str:
            self.entered.set()
            await self.released.wait()
            return "done"

        async def ignore(call: Call[None, None]) -> None:
            for _ in range(300):
                await asyncio.sleep(0)  # lets the server's buffer for this request fill up

        async def large(call: Call[None, None]) -> Text:
            self.entered.set()
            return Text(b"x" * 30_000_000, "text/plain")

        async def plain(call: Call[None, None]) -> Text:
            return Text(b"one 1\n", "text/plain; version=0.0.4")

        read, write = Access("key", "things:read", "read"), Access("key", "things:write", "write")
        things = [
            Route("GET", "/api/things/{id}", show, read, "Show", dict),
            Route("DELETE", "/api/things/{id}", remove, write, "Remove"),
            Route("GET", "/api/things/special", plain, OPEN, "Text", Text),
            Route("POST", "/api/things", make, write.taking(None), "Make", Thing, NewThing, status=201),
            Route("GET", "/api/things", search, read, "Search", dict, query=Search),
            Route("GET", "/api/fail/{how}", fail, OPEN, "Fail"),
            Route("POST", "/api/ignore", ignore, OPEN, "Ignore the body"),
            Route("GET", "/api/large", large, OPEN, "More than fits into socket buffers", Text),
            Route("GET", "/api/wait", wait, OPEN, "Wait", str),
        ]
        return [("things", route) for route in things]

    def streams(self) -> list[tuple[str, Stream]]:
        async def echo(websocket: WebSocket) -> None:
            if "key" not in websocket.query_params:
                raise Unauthenticated("Send a key.")
            await websocket.accept()
            while (text := await websocket.receive_text()) != "fail":
                await websocket.send_text(f"{exchange_of(websocket.scope).ip} {text}")
            raise ZeroDivisionError

        async def ticks(call: Call[None, Search], scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("tick")(scope, receive, send)

        ways = {"/realtime/ws": echo, **self.more_streams}
        sockets = [Stream(path, spoken(way), OPEN, "Talk", Search) for path, way in ways.items()]
        feed = Stream("/realtime/sse", ticks, OPEN, "Ticks", Search, "text/event-stream")
        return [("things", stream) for stream in (*sockets, feed)]

    def probes(self) -> list[Probe]:
        async def yes() -> bool:
            return True

        async def redis() -> bool:
            return self.redis_up

        return [
            Probe("postgres", self.postgres or yes, timeout_seconds=0.2),
            Probe("redis", redis, required=False),
        ]

    def app(self, **options: Any) -> Any:
        async def authenticate(key: str, _: Caller) -> Principal | None:
            return KEYS.get(key)

        settings = HttpOptions(**{"max_body_bytes": MAX_BODY, **options})
        metrics = HttpMetrics(self.registry, self.tallies)
        return build_app(
            self.routes(),
            self.streams(),
            {KEY: by_key(authenticate), **self.authenticators},
            metrics,
            self.probes(),
            settings,
            stopping=self.stop.is_set,
            dialects=[("things", dialect) for dialect in self.dialects],
            limiter=self.limiter,
            gate=self.gate,
        )


def spoken(way: Callable[[WebSocket], Awaitable[None]]) -> StreamHandler:
    """With starlette's words for a WebSocket."""

    async def handle(call: Call[None, Any], scope: Scope, receive: Receive, send: Send) -> None:
        await way(WebSocket(scope, receive, send))

    return handle


@asynccontextmanager
async def running(
    world: World | None = None, *, host: str = "127.0.0.1", drain_seconds: float = 5.0, **options: Any
) -> AsyncIterator[World]:
    world = world or World()
    sockets = server.bind(host, 0)
    server.listen(sockets)
    world.port = sockets[0].getsockname()[1]
    world.serving = asyncio.create_task(
        server.serve(world.app(**options), sockets, world.stop, drain_seconds, world.traffic)
    )
    try:
        yield world
    finally:
        async with asyncio.timeout(20):
            await world.stopped()


def story(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs a coroutine as a test, within a limit."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 60))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(world: World, method: str, path: str, **options: Any) -> Answer:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, world.url + path, **options) as response,
    ):
        return Answer(response.status, response.headers, await response.read())


async def ask_raw(world: World, request: bytes) -> bytes:
    """Everything the server answers until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def expect_problem(answer: Answer, status: int, *fields: str) -> Any:
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status
    assert problem["type"].startswith("urn:ogel:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert tuple(error["path"] for error in problem.get("errors", [])) == fields
    return problem
