"""A thousand clients of every sort on one event loop: good ones, who must be served, and rude ones."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.support import http_corpus
from tests.support.door import Wire, wire
from tests.support.frames import CLOSE, PING, TEXT, Frame, frame, frames, handshake
from tests.support.http_corpus import AFTER, numbered
from tests.support.process import ADMIN_KEY

# Of a thousand; so many seconds between two things that one of them does.
READERS, READER_PAUSE = 400, 10.0
PUBLISHERS, PUBLISHER_PAUSE = 100, 10.0
LISTENERS = 200  # half by SSE, half by WebSocket
IDLE = 200
RUDE, RUDE_PAUSE = 100, 5.0
PATIENCE_SECONDS = 60.0
_KEY = b"Authorization: Bearer %b\r\n" % ADMIN_KEY.encode()
_CORPUS = [
    case for group in http_corpus.groups().values() for case in group.values() if len(case.raw) < 10_000
]


class Crowd:
    """
    `done` counts what was done, and who was put off (503); `failed` is what went wrong for those who did nothing wrong.
    """

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []

    async def run(self, seconds: float) -> None:
        """All of them, for so long; they come within a tenth of it."""
        members: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._read, READERS),
            (self._publish, PUBLISHERS),
            (self._listen_by_sse, LISTENERS // 2),
            (self._listen_by_websocket, LISTENERS // 2),
            (self._say_nothing, IDLE),
            (self._be_rude, RUDE),
        ]
        tasks = [
            asyncio.create_task(self._member(member, seconds / 10))
            for member, count in members
            for _ in range(count)
        ]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
        self.failed += [f"{task} has not ended" for task in tasks if not task.done()]

    async def _member(self, member: Callable[[], Awaitable[None]], within: float) -> None:
        await asyncio.sleep(self._random.uniform(0, within))
        try:
            await member()
        except Exception as error:  # noqa: BLE001 - told at the end
            self.failed.append(f"{member.__name__}: {error!r}")

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._random.uniform(0.5, 1.5))

    async def _read(self) -> None:
        async with wire(self._port) as kept:
            while True:
                path = self._random.choice((b"/health/live", b"/health/live", b"/api/events?limit=5"))
                await self._ask(kept, b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (path, _KEY), b"200", "read")
                await self._pause(READER_PAUSE)

    async def _publish(self) -> None:
        async with wire(self._port) as kept:
            while True:
                body = json.dumps(
                    {"type": "crowd.spoke", "data": {"x": "x" * self._random.randrange(2_000)}}
                ).encode()
                fields = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
                request = b"POST /api/events HTTP/1.1\r\nHost: x\r\n" + _KEY + fields + b"\r\n" + body
                await self._ask(kept, request, b"202", "published")
                await self._pause(PUBLISHER_PAUSE)

    async def _ask(self, kept: Wire, request: bytes, status: bytes, what: str) -> None:
        kept.received.clear()
        kept.write(request)
        await kept.until(lambda: _whole(bytes(kept.received)), PATIENCE_SECONDS)
        said = bytes(kept.received)
        assert _whole(said), said[:300]
        if said.startswith(b"HTTP/1.1 503 "):
            self.done["put off"] += 1
        else:
            assert said.startswith(b"HTTP/1.1 " + status), said[:300]
            self.done[what] += 1

    async def _listen_by_sse(self) -> None:
        async with wire(self._port) as stream:
            stream.write(b"GET /realtime/sse?events=crowd.* HTTP/1.1\r\nHost: x\r\n" + _KEY + b"\r\n")
            while True:
                await stream.until(lambda: b"event: event" in stream.received, PATIENCE_SECONDS)
                assert not stream.ended, bytes(stream.received[-300:])
                self.done["heard by SSE"] += stream.received.count(b"event: event")
                stream.received.clear()

    async def _listen_by_websocket(self) -> None:
        async with wire(self._port) as socket:
            socket.write(handshake(b"/realtime/websocket?events=crowd.*", _KEY))
            await socket.until(lambda: b"\r\n\r\n" in socket.received, PATIENCE_SECONDS)
            assert socket.received.startswith(b"HTTP/1.1 101 "), bytes(socket.received[:300])
            rest = bytes(socket.received).partition(b"\r\n\r\n")[2]
            socket.received.clear()
            socket.received += rest
            while True:
                await socket.until(lambda: bool(frames(socket.received)[0]), PATIENCE_SECONDS)
                got, rest = frames(socket.received)
                assert not socket.ended and not any(each.opcode == CLOSE for each in got), got[-1:]
                socket.received[:] = rest
                self._heard(got)
                if self._random.random() < 0.05:
                    socket.write(frame(PING, b"there?"))

    def _heard(self, got: list[Frame]) -> None:
        self.done["heard by WebSocket"] += sum(each.opcode == TEXT for each in got)

    async def _say_nothing(self) -> None:
        """On a connection that is ended now and then by whoever has enough of it."""
        while True:
            async with wire(self._port) as idle:
                await idle.end(PATIENCE_SECONDS)
            self.done["idle"] += 1

    async def _be_rude(self) -> None:
        ways = (
            self._say_what_is_no_request,
            self._leave_in_the_middle,
            self._flood,
            self._leave_with_requests_waiting,
        )
        while True:
            with suppress(OSError, TimeoutError):
                await self._random.choice(ways)()
            self.done["rude"] += 1
            await self._pause(RUDE_PAUSE)

    async def _say_what_is_no_request(self) -> None:
        async with wire(self._port) as rude:
            rude.write(numbered(self._random.choice(_CORPUS).raw + AFTER, 0))
            await rude.end(5.0)

    async def _leave_in_the_middle(self) -> None:
        case = numbered(self._random.choice(_CORPUS).raw, 0)
        async with wire(self._port) as rude:
            rude.write(case[: self._random.randrange(1, len(case))])
            await rude.end(self._random.uniform(0, 2))

    async def _leave_with_requests_waiting(self) -> None:
        async with wire(self._port) as rude:
            rude.write((b"GET /api/events?limit=1 HTTP/1.1\r\nHost: x\r\n" + _KEY + b"\r\n") * 30)
            await asyncio.sleep(self._random.uniform(0, 0.2))

    async def _flood(self) -> None:
        async with wire(self._port) as rude:
            rude.write(handshake(b"/realtime/websocket?events=nothing", _KEY))
            await rude.until(lambda: b"\r\n\r\n" in rude.received, 5.0)
            await rude.pour(frame(PING, b"x" * 100) * 100, 1_000_000)


def _whole(said: bytes) -> bool:
    head, blank, body = said.partition(b"\r\n\r\n")
    if not blank:
        return False
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= int(lengths[0].partition(b":")[2])
