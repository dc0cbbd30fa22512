"""The server with nothing behind it but an application that notes what it was asked, and strangers' bytes for it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.types import Message, Receive, Scope, Send

from ogel.runtime.http import server

# Without any progress, on a machine that does much else.
PATIENCE_SECONDS = 15.0
SLOW_SECONDS = 0.02
LARGE_BYTES = 10_000


@dataclass(frozen=True)
class Request:
    """As the application saw it, with its whole body."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def name(self) -> str:
        return name_of(self.target)

    def values(self, header: bytes) -> list[bytes]:
        return [value for name, value in self.headers if name == header]


def name_of(target: str) -> str:
    """What a test calls it: the end of its path, without query and fragment."""
    return target.partition("?")[0].partition("#")[0].rpartition("/")[2]


@dataclass
class Recorder:
    """
    Answers every request with its target and the length of its body, once it has all of it; echoes WebSocket messages.
    `/wait` is answered when `released` is set, its body unread until then; `/slow` takes SLOW_SECONDS,
    and the answer to `/large` LARGE_BYTES.
    """

    requests: list[tuple[int, Request]] = field(default_factory=list)
    begun: int = 0
    cut_short: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    serving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        if scope["type"] == "websocket":
            await self._echo(receive, send)
        else:
            await self._answer(scope, receive, send)

    async def stopped(self) -> None:
        self.stop.set()
        assert self.serving is not None
        await self.serving

    def by_client(self) -> dict[int, list[Request]]:
        """By the port that they came from."""
        grouped: defaultdict[int, list[Request]] = defaultdict(list)
        for port, request in self.requests:
            grouped[port].append(request)
        return grouped

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = name_of(scope["path"])
        if name == "wait":
            await self.released.wait()
        elif name == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        chunks: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.cut_short += 1
                return
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        target = (scope["raw_path"] or scope["path"].encode()).decode("latin-1")
        body = b"".join(chunks)
        request = Request(scope["method"], target, tuple(tuple(pair) for pair in scope["headers"]), body)
        self.requests.append((scope["client"][1], request))
        said = f"{scope['method']} {request.name} {len(body)}".encode("latin-1")
        said += b"." * (LARGE_BYTES if name == "large" else 0)
        head = [(b"content-type", b"text/plain"), (b"content-length", str(len(said)).encode())]
        head.append((b"x-name", request.name.encode("latin-1", "replace")[:100]))
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else said})

    async def _echo(self, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send(_echoed(message))


def _echoed(message: Message) -> Message:
    if (text := message.get("text")) is not None:
        return {"type": "websocket.send", "text": text}
    return {"type": "websocket.send", "bytes": message["bytes"]}


@asynccontextmanager
async def door(recorder: Recorder | None = None, drain_seconds: float = 5.0) -> AsyncIterator[Recorder]:
    recorder = recorder or Recorder()
    sockets = server.bind("127.0.0.1", 0)
    server.listen(sockets)
    recorder.port = sockets[0].getsockname()[1]
    recorder.serving = asyncio.create_task(server.serve(recorder, sockets, recorder.stop, drain_seconds))
    try:
        yield recorder
    finally:
        async with asyncio.timeout(30):
            await recorder.stopped()


class Wire(asyncio.Protocol):
    """A client's end of a connection. Keeps all that came, also when a reset came after it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = False  # the server has hung up
        self.reset = False
        self.written = 0
        self._lost = False
        self._moved = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()

    @classmethod
    async def connect(cls, port: int) -> Wire:
        _, wire = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return wire

    @property
    def port(self) -> int:
        """Its own."""
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._moved.set()

    def eof_received(self) -> bool:
        self.ended = True
        self._moved.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended, self.reset, self._lost = True, exc is not None, True
        self._moved.set()
        self._free.set()

    def pause_writing(self) -> None:
        self._free.clear()

    def resume_writing(self) -> None:
        self._free.set()

    def write(self, data: bytes) -> None:
        self._transport.write(data)
        self._moved.set()

    async def pour(self, data: bytes, at_most: int | None = None) -> None:
        """Again and again, as fast as it is taken, until the server hangs up."""
        while not self.ended and (at_most is None or self.written < at_most):
            self.write(data)
            self.written += len(data)
            await self._free.wait()
            await asyncio.sleep(0)

    async def write_by(self, size: int, data: bytes) -> None:
        """In pieces that a server on the same loop gets one by one."""
        for start in range(0, len(data), size):
            if self.ended:
                return
            self.write(data[start : start + size])
            await asyncio.sleep(0)

    def write_eof(self) -> None:
        self._transport.write_eof()

    def hold(self) -> None:
        """Takes nothing from now on."""
        self._transport.pause_reading()

    async def until(self, met: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Or until the server has hung up. TimeoutError: nothing has moved for so long, in either direction."""
        while not (self.ended or met()):
            self._moved.clear()
            async with asyncio.timeout(patience_seconds):
                await self._moved.wait()

    async def end(self, patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Whether the server hangs up."""
        try:
            await self.until(lambda: False, patience_seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Both sides, with all that was to be written."""
        self._transport.close()

    def abort(self) -> None:
        """With a reset, where something is unread or unsent."""
        if (
            not self._lost
        ):  # asyncio breaks where a transport was closed while it still had something to write
            self._transport.abort()


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    connected = await Wire.connect(port)
    try:
        yield connected
    finally:
        connected.abort()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


async def others_are_served(port: int, times: int = 10) -> None:
    """What everybody else sees meanwhile, on new connections and on one that is kept."""
    ask = b"GET /others HTTP/1.1\r\nHost: x\r\n\r\n"
    async with wire(port) as kept:
        for count in range(1, times + 1):
            async with asyncio.timeout(PATIENCE_SECONDS):
                kept.write(ask)
                await kept.until(lambda count=count: kept.received.count(b"GET others 0") >= count)
                assert kept.received.count(b"HTTP/1.1 200 ") == count, bytes(kept.received)
                fresh = await exchange(port, ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                assert fresh.received.startswith(b"HTTP/1.1 200 "), fresh


@asynccontextmanager
async def going_on(*attacks: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """For as long as the block; an attack that ends before says that it was ended, and is no failure."""
    tasks = [asyncio.create_task(attack) for attack in attacks]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, OSError):
            raise result


@dataclass(frozen=True)
class Exchange:
    """What became of one connection: from which port, what came back, whether the server hung up, or even reset it."""

    port: int
    received: bytes
    hung_up: bool
    reset: bool


async def exchange(port: int, raw: bytes, *, piece: int | None = None) -> Exchange:
    """
    Sends all of it, in pieces of so many bytes that the server gets one by one, and reads until the server hangs up.
    Does not hang up itself, unless nothing moves any more.
    """
    async with wire(port) as connected:
        own_port = connected.port
        await connected.write_by(piece or len(raw), raw)
        hung_up = await connected.end()
        return Exchange(own_port, bytes(connected.received), hung_up, connected.reset)


def answers(received: bytes, methods: Sequence[str] = ()) -> list[Answer]:
    """
    The final answers in what a server sent, without 1xx. `methods` are those of the requests, as far as they matter
    (HEAD). AssertionError: it is not a sequence of complete answers.
    """
    found: list[Answer] = []
    rest = received
    while rest:
        head, blank, rest = rest.partition(b"\r\n\r\n")
        assert blank, f"an answer without an end: {received[-300:]!r}"
        line, *fields = head.split(b"\r\n")
        version, status_text, *_ = line.split(b" ", 2)
        assert version in (b"HTTP/1.1", b"HTTP/1.0") and len(status_text) == 3, line
        pairs = (each.partition(b":")[::2] for each in fields)
        headers = {name.decode().lower(): value.strip().decode("latin-1") for name, value in pairs}
        status = int(status_text)
        if status < 200 and status != 101:
            continue
        bodiless = status in (101, 204, 304) or "HEAD" in methods[len(found) : len(found) + 1]
        body, rest = (b"", rest) if bodiless else _body(headers, rest)
        found.append(Answer(status, headers, body))
        if status == 101:
            break
    return found


def _body(headers: dict[str, str], rest: bytes) -> tuple[bytes, bytes]:
    if "chunked" in headers.get("transfer-encoding", ""):
        return _dechunked(rest)
    if "content-length" not in headers:
        return rest, b""
    length = int(headers["content-length"])
    assert len(rest) >= length, f"{len(rest)} of {length} bytes"
    return rest[:length], rest[length:]


def _dechunked(rest: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body += rest[:length]
        assert rest[length : length + 2] == b"\r\n"
        rest = rest[length + 2 :]
        if not length:
            return body, rest
