"""What a request held is gone when it has been answered, however it ended: nothing waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import psycopg
import pytest

from ogel.kernel.errors import Unavailable
from ogel.runtime.http.access import OPEN, Access
from ogel.runtime.http.app import build_app
from ogel.runtime.http.credentials import KEY, by_key
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.route import Call, Route
from tests.support.collector import no_collector
from tests.support.http import KEYS, READER, WRITER, NewThing, World, story

Message = MutableMapping[str, Any]
BODY = msgspec.json.encode({"name": "x" * 50_000})
GONE = {"type": "http.disconnect"}


class Marked(dict[str, Any]):
    """A scope that the collector can be asked about."""


def scope(method: str, path: str, headers: dict[str, str], kind: str = "http") -> Marked:
    return Marked(
        type=kind,
        method=method,
        path=path.partition("?")[0],
        raw_path=path.partition("?")[0].encode(),
        query_string=path.partition("?")[2].encode(),
        headers=[(name.lower().encode(), value.encode()) for name, value in headers.items()],
        client=("127.0.0.1", 4242),
        extensions={"websocket.http.response": {}},
    )


async def exchange(app: Any, asked: Marked, *said: Message) -> int | None:
    """The status of the answer. `said` is what the client says, the last of it over and over."""
    words, answered = list(said), []

    async def receive() -> Message:
        return words.pop(0) if len(words) > 1 else words[0]

    async def send(message: Message) -> None:
        answered.append(message)

    await app(asked, receive, send)
    return answered[0].get("status") if answered else None


def found_in_cycles() -> list[str]:
    """What only the collector gives back, as far as it holds what somebody did or sent."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        kinds = (types.FrameType, types.TracebackType, BaseException, Marked, asyncio.Task, NewThing)
        return [repr(each)[:200] for each in gc.garbage if isinstance(each, kinds)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def full(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": False}


def half(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": True}


CHUNKED = {**WRITER, "Transfer-Encoding": "chunked"}
ENDS: dict[str, tuple[Marked, list[Message], int | None]] = {
    "made": (scope("POST", "/api/things", WRITER), [full(BODY)], 201),
    "no JSON": (scope("POST", "/api/things", WRITER), [full(BODY[:-1])], 400),
    "no UTF-8": (scope("POST", "/api/things", WRITER), [full(b'{"name":"\xff' + BODY)], 400),
    "too deep": (scope("POST", "/api/things", WRITER), [full(b'{"name":"x","data":' + b"[" * 40_000)], 400),
    "empty": (scope("POST", "/api/things", WRITER), [full(b"")], 400),
    "wrong field": (scope("POST", "/api/things", WRITER), [full(BODY.replace(b"name", b"nome"))], 422),
    "wrong query": (scope("GET", "/api/things?limit=x", READER), [full(b"")], 422),
    "many parameters": (scope("GET", "/api/things?" + "a&" * 99, READER), [full(b"")], 400),
    "no key": (scope("POST", "/api/things", {}), [full(BODY)], 401),
    "another's key": (scope("POST", "/api/things", READER), [full(BODY)], 403),
    "nowhere": (scope("POST", "/nowhere", WRITER), [full(BODY)], 404),
    "no such path": (scope("POST", "/api/things/%ff", WRITER), [full(BODY)], 400),
    "no such method": (scope("PUT", "/api/things", WRITER), [full(BODY)], 405),
    "no such method of a stream": (scope("POST", "/realtime/sse", WRITER), [full(BODY)], 405),
    "too large": (scope("POST", "/api/things", {**WRITER, "Content-Length": "9000000"}), [full(BODY)], 413),
    "too large, chunked": (scope("POST", "/api/things", CHUNKED), [half(BODY)], 413),
    "no length": (scope("POST", "/api/things", {**WRITER, "Content-Length": "ten"}), [full(BODY)], 400),
    "a bug": (scope("POST", "/api/fail/bug", WRITER), [full(BODY)], 500),
    "a refusal": (scope("POST", "/api/fail/conflict", WRITER), [full(BODY)], 409),
    "no database": (scope("POST", "/api/fail/database", WRITER), [full(BODY)], 503),
    "told by another task": (scope("POST", "/api/fail/future", WRITER), [full(BODY)], 503),
    "gone": (scope("POST", "/api/things", CHUNKED), [half(BODY), GONE], None),
    "a stream": (scope("GET", "/realtime/sse", READER), [full(b"")], 200),
    "a WebSocket refused": (scope("GET", "/realtime/ws", READER, "websocket"), [{"type": "websocket.connect"}], 401),
    "a WebSocket nowhere": (scope("GET", "/realtime", READER, "websocket"), [{"type": "websocket.connect"}], 404),
    "a WebSocket that breaks": (
        scope("GET", "/realtime/ws?key=1", READER, "websocket"),
        [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "fail"}],
        None,
    ),
    "a WebSocket that leaves": (
        scope("GET", "/realtime/ws?key=1", READER, "websocket"),
        [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}],
        None,
    ),
}  # fmt: skip


class Failing(World):
    """With handlers that read a body, and fail in the ways in which ours do."""

    def routes(self) -> list[tuple[str, Route]]:
        async def fail(call: Call[NewThing, None]) -> None:
            how = call.path["how"]
            if how == "bug":
                wrong = ZeroDivisionError("kept where it was raised")
                raise wrong
            if how == "database":
                async with self.renamed():
                    raise psycopg.OperationalError("gone")
            if how == "future":
                told = asyncio.get_running_loop().create_future()
                told.set_exception(Unavailable("Too many wait."))
                await told
            await super_fail(call)

        kept = [(feature, route) for feature, route in super().routes() if route.path != "/api/fail/{how}"]
        super_fail = next(route.handler for _, route in super().routes() if route.path == "/api/fail/{how}")
        failing = Route("POST", "/api/fail/{how}", fail, OPEN, "Fail", body=NewThing)
        return [*kept, ("things", failing)]

    @asynccontextmanager
    async def renamed(self) -> Any:
        try:
            yield
        except psycopg.Error as error:
            raise Unavailable("The database is away.") from error


@pytest.mark.parametrize("end", ENDS)
def test_no_cycle_holds_a_request(end: str) -> None:
    @story
    async def asked_twice() -> None:
        app = Failing().app()
        asked, said, status = ENDS[end]
        for _ in range(2):  # whatever is remembered for good is remembered at the first
            with no_collector():
                assert await exchange(app, Marked(asked), *said) == status
                found = found_in_cycles()
        assert found == []

    asked_twice()


async def stopped(app: Any, asked: Marked, waits: asyncio.Event) -> None:
    async def receive() -> Message:
        waits.set()
        return await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        pass

    working = asyncio.create_task(app(asked, receive, send))
    await waits.wait()
    working.cancel()
    await asyncio.wait([working])


async def late(app: Any, asked: Marked, _: asyncio.Event) -> None:
    async def receive() -> Message:
        return await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        assert message.get("status", 408) == 408

    await app(asked, receive, send)


@pytest.mark.parametrize("end", [stopped, late])
def test_no_cycle_holds_a_request_whose_body_never_came(
    end: Callable[[Any, Marked, asyncio.Event], Awaitable[None]],
) -> None:
    @story
    async def asked_twice() -> None:
        app = World().app(body_timeout_seconds=0.05 if end is late else 15)
        for _ in range(2):
            with no_collector():
                await end(app, scope("POST", "/api/things", CHUNKED), asyncio.Event())
                found = found_in_cycles()
        assert found == []

    asked_twice()


@story
async def test_one_error_told_to_many_requests_holds_none_of_them() -> None:
    """As of a transaction that requests share: the same object is raised in each of them."""
    told = Unavailable("The database is away.")

    async def publish(call: Call[NewThing, None]) -> None:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.get_loop().call_soon(answer.set_exception, told)
        await answer

    async def authenticate(key: str, _: object) -> Any:
        return KEYS.get(key)

    world = World()
    access = Access("key", "things:write", "write")
    route = Route("POST", "/api/publish", publish, access, "Publish", body=NewThing)
    keys, metrics = {KEY: by_key(authenticate)}, HttpMetrics(world.registry)
    app = build_app([("things", route)], [], keys, metrics, [], HttpOptions())
    with no_collector():
        asked = [exchange(app, scope("POST", "/api/publish", WRITER), full(BODY)) for _ in range(10)]
        assert await asyncio.gather(*asked) == [503] * 10
        del asked
        assert told.__traceback__ is None
        assert found_in_cycles() == []
