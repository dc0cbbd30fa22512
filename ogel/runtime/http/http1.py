"""An HTTP/1.1 connection on an accepted socket, from its first request to its last."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import structlog
from starlette.types import Scope

from ogel.runtime.http.answer import Answer
from ogel.runtime.http.exchange import GONE_SECONDS
from ogel.runtime.http.head import Head, Refused, end_of_head, read_head, skip_empty_lines
from ogel.runtime.http.incoming import Incoming
from ogel.runtime.http.outgoing import Outgoing
from ogel.runtime.http.refusal import refusal
from ogel.runtime.http.successor import Successor
from ogel.runtime.http.upgrade import Upgrade

if TYPE_CHECKING:
    from ogel.runtime.http.connections import Connections

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 65.0  # longer than the usual 60 s of a proxy, so that the proxy is the one to close
HEAD_SECONDS = 15.0  # from the first byte of a request to the end of its head
LAST_REQUEST_SECONDS = 1.0  # when stopping, for a request that is already on its way to an idle connection
# A client that gets its answer while it is still sending gets this many seconds and bytes, so that it can read the
# answer: closing a socket with unread data sends a reset, which would overtake the answer.
LINGER_SECONDS = 2.0
LINGER_BYTES = 16 * 1024 * 1024
# Bytes of pipelined requests that wait for the current answer. (One read of a socket may bring more.)
MAX_WAITING_BYTES = 16 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(Enum):
    IDLE = auto()  # between two requests, or before the first
    HEAD = auto()  # some of a head has come
    BUSY = auto()  # a request is being answered
    REST = auto()  # the answer is complete; the rest of the request body is read and dropped
    UPGRADED = auto()  # it has become a WebSocket
    LINGER = auto()  # the last answer was sent; input is read and dropped for a while
    CLOSED = auto()


_SILENT = frozenset({State.LINGER, State.CLOSED})


class Http1(asyncio.Protocol):
    """HTTP/1.1 without TLS or HTTP/2; both end at the proxy."""

    _transport: asyncio.Transport
    _out: Outgoing

    def __init__(self, connections: Connections, over_limit: bool = False) -> None:
        """`over_limit`: there is hardly room for this connection, so it gets one answer, and only to a health check."""
        self.state = State.IDLE
        self.since = (
            connections.now()
        )  # since when it is in this state; a client that sends only empty lines stays idle
        self.over_limit = over_limit
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._client: tuple[str, int] | None = None
        self._server: tuple[str, int] | None = None
        self._data = b""  # received, and
        self._at = 0  # parsed up to here
        self._again = False  # there is more to parse in the next turn of the loop
        self._reading = True
        self._ended_at: float | None = None  # the peer closed its sending side
        self._lost = False
        self._taken = False  # another protocol has the socket now
        self._incoming: Incoming | None = None
        self._answer: Answer | None = None
        self._upgraded: Upgrade | None = None
        self._task: asyncio.Task[None] | None = None
        self._budget = 0  # bytes that may still be read and dropped

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._out = Outgoing(self._transport, self._connections.traffic)
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        self._connections.entered(self)

    def data_received(self, data: bytes) -> None:
        self._connections.traffic.received += len(data)
        if self.state is State.UPGRADED and self._upgraded is not None:
            self._upgraded.received(data)
        elif self.state is State.LINGER:
            self._read_over(len(data))
        elif self.state is not State.CLOSED:
            self._data = data if self._at == len(self._data) else self._data[self._at :] + data
            self._at = 0
            if not self._again:
                self._read()

    def eof_received(self) -> bool:
        """The peer has closed its sending side or has gone. Only a write can tell which."""
        self._peer_ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._peer_ended()
        self._out.resume()
        self.state = State.CLOSED
        self._data, self._at = b"", 0
        if self._task is None:
            self._leave()

    def pause_writing(self) -> None:
        self._out.pause()

    def resume_writing(self) -> None:
        self._out.resume()

    # For the answer and the WebSocket session, which write through this connection.

    @property
    def is_last(self) -> bool:
        """Whether the answer that begins now is the last on this connection."""
        # A client that waits for 100 may send the body or another request next, and we could not tell which.
        return (
            self._connections.stopping
            or self.over_limit
            or (self._incoming is not None and self._incoming.continues)
        )

    @property
    def gone(self) -> bool:
        """Whether the peer has gone. A failed write tells so before the event loop does."""
        return self._lost or self.state in _SILENT or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self._lost and self.state not in _SILENT:
            self._out.write(data)

    async def drained(self) -> None:
        await self._out.drained()

    def hang_up(self, seconds: float) -> None:
        """Cuts the connection after so many seconds, whatever it does by then."""
        self._loop.call_later(seconds, self.abort)

    def hand_over(self, successor: Successor, head: bytes) -> None:
        """Gives the socket to another protocol, which begins with this head of the answer. This one is done with it."""
        if self.gone or self._ended_at is not None:
            successor.connection_lost(None)
            self.close()
            return
        self.flow(True)
        self._taken = True
        self.state = State.CLOSED
        rest, self._data, self._at = self._data[self._at :], b"", 0
        self._transport.set_protocol(successor)
        self._connections.taken(self, successor)
        successor.took_over(self._transport, self._connections, head, rest)

    # For Connections, which watches and closes this one.

    def look(self, now: float, stalled_seconds: float) -> None:
        """Ends the connection if something has taken too long. Called regularly."""
        self._out.cut_off_if_stalled(now, stalled_seconds)
        passed = now - self.since
        stopping = self._connections.stopping_since
        match self.state:
            case State.IDLE | State.HEAD if stopping is not None and now - stopping >= LAST_REQUEST_SECONDS:
                self.close()
            case State.IDLE if passed >= KEEP_ALIVE_SECONDS:
                self.close()
            case State.HEAD if passed >= HEAD_SECONDS:
                self._refuse(
                    Refused(408, f"The request's head did not arrive within {HEAD_SECONDS:g} seconds.")
                )
            case State.REST | State.LINGER if passed >= LINGER_SECONDS:
                self.close()
            case State.BUSY if self._ended_at is not None and now - self._ended_at >= GONE_SECONDS:
                self._data, self._at = b"", 0

    def peer_hung_up(self, altogether: bool) -> None:
        """
        Tells what polling found while the socket is not read. `altogether`: the connection is broken in both
        directions.
        """
        if altogether:
            self.abort()
        elif self._incoming is not None and self._incoming.ended:
            self._peer_ended()

    def close(self) -> None:
        """Closes once everything written has been sent."""
        self._enter(State.CLOSED)
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def cancel(self) -> None:
        """Cancels the connection and what it is doing. An answer that has not begun may still report it."""
        if self._task is not None:
            self._task.cancel()
        else:
            self.abort()

    @property
    def reads(self) -> bool:
        return self._reading

    def fileno(self) -> int:
        """Returns the socket's file descriptor; -1 once it is closed."""
        return cast(int, self._transport.get_extra_info("socket").fileno())

    # Reading.

    def _read_on(self) -> None:
        self._again = False
        if self.state in (State.HEAD, State.BUSY, State.REST):
            self._read()

    def _read(self) -> None:
        try:
            if self._incoming is None:
                self._read_head()
            else:
                self._read_body(self._incoming)
        except Refused as refused:
            self._refuse(refused)
        if self._ended_at is not None and not self._again and self._incoming is not None:
            self._incoming.disconnect()
        self._hold()

    def _read_head(self) -> None:
        self._at = skip_empty_lines(self._data, self._at)
        end = end_of_head(self._data, self._at)
        if end is None:
            if self._ended_at is not None:
                self.close()
            elif self.state is State.IDLE and self._at < len(self._data):
                self._enter(State.HEAD)
            return
        head = read_head(self._data, self._at, end)
        self._at = end
        self._begin(head)

    def _begin(self, head: Head) -> None:
        if self.over_limit and not head.target.startswith((b"/health/", b"/api/health")):
            raise Refused(503, "This process has as many connections as it can hold.")
        if head.websocket:
            self._upgrade(head)
            return
        incoming = self._incoming = Incoming(head.length, head.continues, self._wanted)
        if not incoming.ended and self._at < len(self._data):
            self._read_body(incoming)
        self._answer = Answer(self, head.method, head.version, head.keep_alive)
        self._enter(State.BUSY)
        self._task = self._loop.create_task(self._perform(self._scope(head), incoming, self._answer))

    def _read_body(self, incoming: Incoming) -> None:
        if incoming.ended:
            return  # the data belongs to the next request
        before = self._at
        self._at, again = incoming.read(self._data, self._at)
        if self.state is State.REST:
            self._read_over(self._at - before)
            if incoming.ended:
                self._next()
                return
        if again:
            self._read_again()

    def _read_again(self) -> None:
        """Goes on parsing in the next turn of the loop, so that a client that sends much does not hold up others."""
        self._again = True
        self._loop.call_soon(self._read_on)

    def _read_over(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            self.abort()

    def _wanted(self) -> None:
        """Called when the application asks for more of the body."""
        incoming, answer = self._incoming, self._answer
        # In the middle of an answer, "100 Continue" would be read as part of it. A stream asks for its body
        # nevertheless.
        if incoming is not None and incoming.continues and answer is not None and not answer.begun:
            incoming.continues = False
            self.write(_CONTINUE)
        self._hold()

    def _hold(self) -> None:
        """Pauses or resumes reading from the socket, depending on the room there is."""
        incoming = self._incoming
        full = self._again or (
            self.state is State.BUSY
            and incoming is not None
            and (incoming.full or (incoming.ended and len(self._data) - self._at > MAX_WAITING_BYTES))
        )
        self.flow(not full)

    def flow(self, on: bool) -> None:
        """Pauses or resumes reading."""
        if self._reading is on or self._lost or self._transport.is_closing():
            return
        self._reading = on
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _peer_ended(self) -> None:
        if self._ended_at is None:
            self._ended_at = self._connections.now()
        if self._upgraded is not None:
            self._upgraded.left()
        elif self.state is State.BUSY and self._incoming is not None:
            if self._lost or not self._again:
                self._incoming.disconnect()
        elif not self._again and self.state is not State.CLOSED:
            self.close()

    # Answering.

    def _scope(self, head: Head) -> Scope:
        path, _, query = head.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "http_version": head.version,
            "method": head.method,
            "scheme": "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": head.fields,
            "client": self._client,
            "server": self._server,
            "extensions": {},
        }

    async def _perform(self, scope: Scope, incoming: Incoming, answer: Answer) -> None:
        try:
            await self._connections.app(scope, incoming.receive, answer.send)
        except asyncio.CancelledError:
            answer.keep = False  # by the server when it stops, which has logged it; nobody awaits this task
        except Exception:
            log.exception("http.application_broke")
        self._task = None
        incoming.disconnect()
        if self._taken:
            self._incoming = self._answer = None
        elif self._lost:
            self._leave()
        elif self.state is State.BUSY:
            self._answered(incoming, answer)

    def _answered(self, incoming: Incoming, answer: Answer) -> None:
        if not answer.ended:
            if not answer.begun:
                self.write(refusal(500, "The application gave no answer."))
            self._shut()
        elif not answer.keep:
            self._shut()
        elif not incoming.ended:
            self._budget = LINGER_BYTES
            self._enter(State.REST)
            self._hold()
        else:
            self._next()

    def _next(self) -> None:
        self._incoming = self._answer = None
        if self._at < len(self._data):
            self._enter(State.HEAD)
            self._read_again()
        elif self._ended_at is not None:
            self.close()
            return
        else:
            self._data, self._at = b"", 0
            self._enter(State.IDLE)
        self._hold()

    def _refuse(self, refused: Refused) -> None:
        """Answers an unparsable request. This is the last answer, unless one is already on its way."""
        self._connections.refused(refused.status)
        if self._incoming is not None:
            self._incoming.disconnect()
        if self._answer is None or not self._answer.begun:
            self.write(refusal(refused.status, refused.detail, refused.fields))
        self._shut(understood=False)

    def _shut(self, understood: bool = True) -> None:
        """Stops writing. Input that still comes is read and dropped for a while."""
        done = understood and self._at == len(self._data) and (self._incoming is None or self._incoming.ended)
        self._data, self._at = b"", 0
        if done or self._ended_at is not None:
            self.close()
            return
        self._budget = LINGER_BYTES
        self._enter(State.LINGER)
        self.flow(True)
        with suppress(OSError):  # the peer has gone meanwhile
            self._transport.write_eof()

    def _upgrade(self, head: Head) -> None:
        upgraded = Upgrade(self, self._connections.app, head, self._scope(head))
        rest, self._data, self._at = self._data[self._at :], b"", 0
        self._upgraded = upgraded
        self._enter(State.UPGRADED)
        if rest:
            upgraded.received(rest)
        self._task = self._loop.create_task(self._hold_upgraded(upgraded))

    async def _hold_upgraded(self, upgraded: Upgrade) -> None:
        try:
            await upgraded.run()
        except asyncio.CancelledError:
            pass  # by the server when it stops, which has logged it
        except Exception:
            log.exception("http.session_broke")
        self._task = self._upgraded = None
        if self._lost:
            self._leave()
        elif not self._taken:
            self._shut(understood=False)

    def _leave(self) -> None:
        # These refer back to this connection: the cycle would keep the last request's body until the garbage collector
        # runs.
        self._incoming = self._answer = None
        self._connections.left(self)

    def _enter(self, state: State) -> None:
        self.state = state
        self.since = self._connections.now()
        self._connections.changed(self)


def _address(name: Any) -> tuple[str, int] | None:
    return (name[0], name[1]) if isinstance(name, tuple) else None
