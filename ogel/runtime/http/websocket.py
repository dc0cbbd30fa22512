"""A WebSocket on a connection: hypercorn's implementation without compression, with limits and an orderly end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import structlog
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol.events import Body, Data, EndBody, Event, Request, Response, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope
from hypercorn.typing import ConnectionState as NoState
from starlette.types import ASGIApp
from wsproto.connection import Connection, ConnectionState
from wsproto.events import CloseConnection
from wsproto.events import Event as Frame
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import WEBSOCKET_VERSION

from ogel.runtime.http.answer import head_of
from ogel.runtime.http.exchange import HANG_UP
from ogel.runtime.http.head import Head
from ogel.runtime.http.http1 import Http1
from ogel.runtime.http.inbox import Inbox

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 1024 * 1024  # of one incoming message
# Limits on what a client sends, over time and at once. Every frame counts, including fragments and control frames; and
# the data of one read counts as at least so many bytes.
FRAMES_PER_SECOND, FRAMES_AT_ONCE = 50, 100
BYTES_PER_SECOND, BYTES_AT_ONCE = 256 * 1024, 4 * 1024 * 1024
_LEAST_BYTES_OF_A_READ = 512
# A peer that is refused while it sends gets this long to read the reason.
LINGER_SECONDS = 1.0
_PIECE_BYTES = 2 * 1024  # parsed per turn of the event loop
_MAX_UNREAD_BYTES = 64 * 1024
_STREAM = 1
_EXTENSIONS = b"sec-websocket-extensions"
_REFUSED = frozenset({ASGIWebsocketState.RESPONSE, ASGIWebsocketState.HTTPCLOSED})


class Session:
    """
    One WebSocket session, from the handshake to the end of the application. Input is fed to hypercorn's stream in
    pieces.
    """

    def __init__(
        self,
        connection: Http1,
        app: ASGIApp,
        head: Head,
        client: tuple[str, int] | None,
        server: tuple[str, int] | None,
    ) -> None:
        self._connection = connection
        self._head = head
        self._tasks = _Application(app, connection.hang_up)
        self._stream = BoundedWebSocket(
            cast(AppWrapper, app), _config(), WorkerContext(None), self._tasks, False, client, server, self._send,
            _STREAM, hang_up=self._hang_up,
        )  # fmt: skip
        self._unread = bytearray()
        self._bytes = _TokenBucket(BYTES_PER_SECOND, BYTES_AT_ONCE)
        self._over = False
        self._changed = asyncio.Event()

    def received(self, data: bytes) -> None:
        if self._over:
            return
        if not self._bytes.allows(max(len(data), _LEAST_BYTES_OF_A_READ)):
            self._stream.exceeded = True
        self._unread += data
        self._connection.flow(len(self._unread) <= _MAX_UNREAD_BYTES)
        self._changed.set()

    def left(self) -> None:
        """The peer has left; nothing can be sent to it any more."""
        self._over = True
        self._changed.set()

    async def run(self) -> None:
        head = self._head
        await self._stream.handle(
            Request(_STREAM, head.fields, head.version, head.method, head.target, NoState({}))
        )
        try:
            while not self._over:
                if self._unread:
                    await self._read()
                else:
                    self._changed.clear()
                    await self._changed.wait()
            await self._stream.handle(StreamClosed(_STREAM))
            await self._tasks.ended()
        finally:
            await self._tasks.cancel()
            # The stream refers back to this session: the cycle would keep all it holds until the garbage collector
            # runs.
            del self._stream

    async def _read(self) -> None:
        piece = bytes(self._unread[:_PIECE_BYTES])
        del self._unread[:_PIECE_BYTES]
        await self._stream.handle(Data(_STREAM, piece))
        self._connection.flow(len(self._unread) <= _MAX_UNREAD_BYTES)
        await asyncio.sleep(0)  # lets other tasks run

    def _hang_up(self) -> None:
        self._connection.hang_up(LINGER_SECONDS)

    async def _send(self, event: Event) -> None:
        match event:
            case Response():
                self._connection.write(self._head_of(event))
            case Body() | Data():
                self._connection.write(event.data)
                await self._connection.drained()
            case StreamClosed():
                self.left()
                await self._stream.handle(event)

    def _head_of(self, response: Response) -> bytes:
        if response.status_code == 101:
            return head_of(101, response.headers)
        fields = [each for each in response.headers if each[0] != b"connection"]
        options = b"close, upgrade" if response.status_code == 426 else b"close"
        return head_of(response.status_code, fields, b"connection: %b\r\n" % options)


class BoundedWebSocket(WSStream):
    """
    hypercorn's WebSocket without permessage-deflate (RFC 7692), whose windows take several times the memory of a plain
    connection, and compressing as much time as all the rest.

    And with an end: after an error, hypercorn would leave the connection open, keep the rest of a message that
    was too large as it comes in, and not tell the application. `exceeded`: the client has sent more than it may.
    """

    def __init__(self, *arguments: Any, hang_up: Callable[[], None]) -> None:
        super().__init__(*arguments)
        self._hang_up = hang_up
        self.exceeded = False

    async def handle(self, event: Event) -> None:
        if isinstance(event, Request):
            event = replace(event, headers=[each for each in event.headers if each[0] != _EXTENSIONS])
        elif isinstance(event, Data) and self.state in _REFUSED:
            return  # hypercorn would answer a second time
        elif isinstance(event, StreamClosed) and self.state is ASGIWebsocketState.CONNECTED:
            farewell = self._watched.farewell
            if farewell is not None and self.app_put is not None:
                # hypercorn would say 1006, as if the peer had gone without a word.
                self.closed = True
                said = {"code": farewell.code, "reason": farewell.reason or ""}
                await self.app_put({"type": "websocket.disconnect", **said})
                return
        was_closed = self.closed
        await super().handle(event)
        if self.closed and not was_closed and not isinstance(event, StreamClosed):
            await self._fail()

    async def _send_error_response(self, status_code: int) -> None:
        if status_code == 400 and self.handshake.version not in (None, WEBSOCKET_VERSION):
            # A client of another version is told which one we speak (RFC 6455 §4.4, RFC 9110 §15.5.22).
            fields = [
                (b"content-length", b"0"),
                (b"upgrade", b"websocket"),
                (b"sec-websocket-version", WEBSOCKET_VERSION),
            ]
            await self.send(Response(stream_id=self.stream_id, status_code=426, headers=fields))
            await self.send(EndBody(stream_id=self.stream_id))
        else:
            await super()._send_error_response(status_code)

    async def _accept(self, message: Any) -> None:
        await super()._accept(message)
        self._watched = _Watched(self.connection)
        self.connection = cast(Connection, self._watched)

    async def _handle_events(self) -> None:
        try:
            if self.exceeded:
                raise _TooMuch
            await super()._handle_events()
        except _TooMuch:
            reason = "too many frames, or too many bytes"
            await self._send_wsproto_event(CloseConnection(CloseReason.POLICY_VIOLATION, reason))
            self._stop_reading()
        if self._watched.failure is not None:
            await self._send_wsproto_event(self._watched.failure)
        if self.buffer.length > self.buffer.max_length:
            self._stop_reading()  # the peer has been sent 1009

    def _stop_reading(self) -> None:
        """From now on, input of the peer is not even parsed."""
        self.buffer.clear()
        self.closed = True

    async def _fail(self) -> None:
        self._hang_up()
        if self.app_put is not None:
            await self.app_put({"type": "websocket.disconnect", "code": CloseReason.ABNORMAL_CLOSURE})


class _TooMuch(Exception):
    pass


class _TokenBucket:
    """A token bucket: `per_second` tokens are added each second, and it holds at most `at_once`."""

    def __init__(self, per_second: float, at_once: float) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._left = at_once
        self._at = time.monotonic()

    def allows(self, amount: float) -> bool:
        """Takes `amount` tokens if there are as many, and tells whether it did."""
        now = time.monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class _Watched:
    """
    wsproto's connection with limits. Raises _TooMuch when frames come faster than allowed. `failure` is the close code
    after a protocol error, where hypercorn would close without one; `farewell` what the peer said when it closed.
    """

    def __init__(self, connection: Connection) -> None:
        self.failure: CloseConnection | None = None
        self.farewell: CloseConnection | None = None
        self._connection = connection
        self._frames = _TokenBucket(FRAMES_PER_SECOND, FRAMES_AT_ONCE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def events(self) -> Iterator[Frame]:
        for event in self._connection.events():
            # A frame that comes in pieces is counted with its last one; control frames come whole.
            if getattr(event, "frame_finished", True) and not self._frames.allows(1):
                raise _TooMuch
            if isinstance(event, CloseConnection) and self._connection.state is ConnectionState.OPEN:
                self.failure = event
            elif isinstance(event, CloseConnection):
                self.farewell = event
            yield event


class _Application:
    """Starts the application in a task, as hypercorn's stream expects, with an inbox between the two."""

    def __init__(self, app: ASGIApp, hang_up: Callable[[float], None]) -> None:
        self._app = app
        self._hang_up = hang_up
        self._task: asyncio.Task[None] | None = None

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        inbox = Inbox(config.max_app_queue_size)
        own = cast(dict[str, Any], scope)
        own[HANG_UP] = self._hang_up
        self._task = asyncio.create_task(
            self._perform(own, inbox, cast(Callable[[Any], Awaitable[None]], send))
        )
        return inbox.put

    async def ended(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])

    async def cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _perform(
        self, scope: dict[str, Any], inbox: Inbox, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        try:
            await self._app(scope, cast(Any, inbox.get), send)
        except Exception:
            log.exception("http.application_broke")
        finally:
            inbox.close()
            await send(None)


def _config() -> Config:
    config = Config()
    config.accesslog = None  # the shell writes one line per request, with more in it
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    return config
