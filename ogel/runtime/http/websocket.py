"""
A WebSocket that an application has accepted: hypercorn's implementation without compression, with limits and an
orderly end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from typing import Any, cast

import structlog
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol.events import Data, Event, Request, Response, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope, TaskGroup
from hypercorn.typing import ConnectionState as NoState
from starlette.types import Message
from wsproto.connection import Connection, ConnectionState
from wsproto.events import CloseConnection
from wsproto.events import Event as Frame
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import WEBSOCKET_VERSION

from ogel.runtime.http.allowance import Allowance, Rates
from ogel.runtime.http.answer import head_of
from ogel.runtime.http.http1 import Http1
from ogel.runtime.http.inbox import Inbox

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 1024 * 1024  # of one incoming message
RATES = Rates()
# A peer that is refused while it sends gets this long to read the reason.
LINGER_SECONDS = 1.0
_PIECE_BYTES = 2 * 1024  # parsed per turn of the event loop
_MAX_UNREAD_BYTES = 64 * 1024
_STREAM = 1
# What a request has that becomes a WebSocket. Without extensions: permessage-deflate (RFC 7692) has windows that take
# several times the memory of a plain connection, and compressing takes as much time as all the rest.
_REQUEST = (
    (b"connection", b"upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", WEBSOCKET_VERSION),
)


class Session:
    """
    From the application's yes to its end. Input is fed to hypercorn's stream in pieces, by a task of its own; what the
    stream makes of it waits in the inbox.
    """

    _feeding: asyncio.Task[None]

    def __init__(self, connection: Http1, inbox: Inbox) -> None:
        self._connection = connection
        self._allowance = Allowance(RATES)
        self._stream = BoundedWebSocket(_Running(inbox), self._send, self._allowance, self._hang_up)
        self._unread = bytearray()
        self._over = False
        self._changed = asyncio.Event()

    async def accept(self, key: bytes, subprotocols: Sequence[str], message: Message) -> None:
        """`key` and `subprotocols` are the client's. Raises what hypercorn has against the message."""
        offered = ", ".join(each for each in subprotocols if each.isascii()).encode()
        fields = [*_REQUEST, (b"sec-websocket-key", key), (b"sec-websocket-protocol", offered)]
        await self._stream.handle(Request(_STREAM, fields, "1.1", "GET", b"/", NoState({})))
        await self.send(message)
        self._feeding = asyncio.create_task(self._feed())

    async def send(self, message: Message) -> None:
        await self._stream.app_send(cast(ASGISendEvent, message))

    def received(self, data: bytes) -> None:
        if self._over:
            return
        self._allowance.read(len(data))
        self._unread += data
        self._connection.flow(len(self._unread) <= _MAX_UNREAD_BYTES)
        self._changed.set()

    def left(self) -> None:
        """The peer has left; nothing can be sent to it any more."""
        self._over = True
        self._changed.set()

    async def end(self) -> None:
        """The application has ended, and hears no more."""
        try:
            await self._stream.app_send(None)
            self.left()
            await self._feeding
        finally:
            self._feeding.cancel()
            # The stream refers back to this session: the cycle would keep all it holds until the garbage collector
            # runs.
            del self._stream

    async def _feed(self) -> None:
        try:
            while not self._over:
                if self._unread:
                    await self._read()
                else:
                    self._changed.clear()
                    await self._changed.wait()
        except Exception:
            log.exception("http.session_broke")
            self._connection.abort()
        await self._stream.handle(StreamClosed(_STREAM))

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
                self._connection.write(head_of(event.status_code, event.headers))
            case Data():
                self._connection.write(event.data)
                await self._connection.drained()
            case StreamClosed():
                self.left()
                await self._stream.handle(event)


class BoundedWebSocket(WSStream):
    """
    hypercorn's WebSocket with an end: after an error, hypercorn would leave the connection open, keep the rest of a
    message that was too large as it comes in, and not tell the application.
    """

    def __init__(
        self,
        tasks: _Running,
        send: Callable[[Event], Awaitable[None]],
        allowance: Allowance,
        hang_up: Callable[[], None],
    ) -> None:
        app = cast(AppWrapper, None)  # it runs already
        super().__init__(
            app, _config(), WorkerContext(None), cast(TaskGroup, tasks), False, None, None, send, _STREAM
        )
        self._allowance = allowance
        self._hang_up = hang_up

    async def handle(self, event: Event) -> None:
        if isinstance(event, StreamClosed) and self.state is ASGIWebsocketState.CONNECTED and not self.closed:
            farewell = self._watched.farewell
            if farewell is not None:
                # hypercorn would say 1006, as if the peer had gone without a word.
                self.closed = True
                await self._disconnect(farewell.code, farewell.reason or "")
                return
        was_closed = self.closed
        await super().handle(event)
        if self.closed and not was_closed and not isinstance(event, StreamClosed):
            self._hang_up()
            await self._disconnect(CloseReason.ABNORMAL_CLOSURE)

    async def _accept(self, message: Any) -> None:
        await super()._accept(message)
        self._watched = _Watched(self.connection, self._allowance)
        self.connection = cast(Connection, self._watched)

    async def _handle_events(self) -> None:
        try:
            if self._allowance.is_exceeded:
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

    async def _disconnect(self, code: int, reason: str = "") -> None:
        assert self.app_put is not None
        await self.app_put({"type": "websocket.disconnect", "code": code, "reason": reason})


class _TooMuch(Exception):
    pass


class _Watched:
    """
    wsproto's connection with limits. Raises _TooMuch when frames come faster than allowed. `failure` is the close code
    after a protocol error, where hypercorn would close without one; `farewell` what the peer said when it closed.
    """

    def __init__(self, connection: Connection, allowance: Allowance) -> None:
        self.failure: CloseConnection | None = None
        self.farewell: CloseConnection | None = None
        self._connection = connection
        self._allowance = allowance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def events(self) -> Iterator[Frame]:
        for event in self._connection.events():
            # A frame that comes in pieces is counted with its last one; control frames come whole.
            if getattr(event, "frame_finished", True):
                self._allowance.frame()
            if self._allowance.is_exceeded:
                raise _TooMuch
            if isinstance(event, CloseConnection) and self._connection.state is ConnectionState.OPEN:
                self.failure = event
            elif isinstance(event, CloseConnection):
                self.farewell = event
            yield event


class _Running:
    """Where hypercorn starts an application: ours runs already, and knows that somebody wants to connect."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        return self._put

    async def _put(self, event: ASGIReceiveEvent) -> None:
        if event["type"] != "websocket.connect":
            await self._inbox.put(cast(Message, event))


@cache
def _config() -> Config:
    config = Config()
    config.accesslog = None  # the shell writes one line per request, with more in it
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    return config
