"""A connection: one client's socket, what waits to be written to it, and its end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from ogel.kernel.principal import Principal
from ogel.runtime.http.successor import House, Successor
from ogel.runtime.realtime.connections.session import Farewell, Reason, Session

if TYPE_CHECKING:
    from ogel.runtime.realtime.connections.registry import Registry

log = structlog.get_logger(__name__)

# Given to the socket at once. What waits beyond that stays a list of frames that all clients share.
PIECE_BYTES = 64 * 1024
# How long a client that is ended may take to read why.
LAST_WORDS_SECONDS = {
    Reason.SLOW: 10.0,
    Reason.BEHIND: 30.0,
    Reason.FLOODED: 1.0,
    Reason.SHUTDOWN: 2.0,
    Reason.REVOKED: 0.5,
    Reason.REFUSED: 1.0,
    Reason.EXPIRED: 0.5,
    Reason.FAILED: 1.0,
}
# The same for one that is closed without the session's having a say, or that has left.
LINGER_SECONDS = 1.0
# The kernel gives a peer up that has not acknowledged what was sent for so long: a telephone in a tunnel.
_UNACKNOWLEDGED_MS = 30_000
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)

MakeSession = Callable[["Connection"], Session]


class Connection(Successor):
    """
    Either a WebSocketConnection or an SseConnection. Writing costs no task, timer or system call: frames wait until the
    dispatcher flushes them, all in one write.

    principal      who opened it.
    address        the client's, past a trusted proxy.
    opened_at      by time.time.
    always_pinged  even if it was written to: its client counts nothing but pings. False, until a session says so.
    """

    __slots__ = (
        "_buffered",
        "_closes",
        "_house",
        "_is_listed",
        "_is_paused",
        "_make",
        "_pending",
        "_pending_bytes",
        "_registry",
        "_room",
        "_sent",
        "_session",
        "_taken",
        "_timer",
        "_transport",
        "address",
        "always_pinged",
        "opened_at",
        "principal",
        "slot",
        "spoke",
    )

    _transport: asyncio.Transport
    kind: str  # as metrics and lists name it

    def __init__(
        self, registry: Registry, principal: Principal, address: str | None, make: MakeSession
    ) -> None:
        self.principal = principal
        self.address = address
        self.opened_at = time.time()
        self.always_pinged = False
        self.slot = 0  # of the ping wheel, and
        self.spoke = 0  # its turn at which something was last written
        self._registry = registry
        self._make: MakeSession | None = make
        self._session: Session | None = None
        self._house: House | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._buffered = 0  # bytes that the transport has not sent yet, at most
        self._room = -1  # bytes that may wait; -1 while nothing can be said
        self._is_listed = False  # with the dispatcher, to be flushed
        self._is_paused = False  # the transport has enough
        self._closes = False  # once everything pending has been written
        self._sent = 0  # bytes given to the transport
        self._taken = 0  # bytes of them that had gone when the wheel last came by
        self._timer: asyncio.TimerHandle | None = None

    # For sessions.

    def write(self, frame: bytes) -> bool:
        """
        Writes a frame, soon and whole. Returns False, having taken nothing, when more than the limit would wait for
        this client, or when it has gone. One frame always fits, however large.
        """
        size = len(frame)
        if self._pending_bytes + self._buffered + size > self._room and not self._fits(size):
            return False
        self._pending.append(frame)
        self._pending_bytes += size
        if not self._is_listed and not self._is_paused:
            self._is_listed = True
            self._registry.dispatcher.wrote(self)
        return True

    @property
    def queued_bytes(self) -> int:
        """What has been written and not been sent yet."""
        return self._pending_bytes + self._waiting()

    @property
    def sent_bytes(self) -> int:
        return self._sent - self._waiting()

    def become(self, principal: Principal) -> None:
        """Its client has said only now who it is. Raises Unavailable when that one has too many connections."""
        self._registry.became(self, principal)
        self.principal = principal

    def end(self, reason: Reason) -> None:
        """
        Ends it with the farewell of its session, whose `gone` is called. What waits is dropped, unless it is the
        process that stops or the client that is behind; a client that does not read is cut off soon. Does nothing once
        it has ended.
        """
        session = self._session
        if session is None:
            return
        farewell = session.ended(reason)
        keeps = reason in (Reason.SHUTDOWN, Reason.BEHIND)
        self._registry.metrics.ended(reason, 0 if keeps else len(self._pending))
        if not keeps:
            self._drop()
        self._part(self._parting(farewell), LAST_WORDS_SECONDS[reason])

    # For the dispatcher and the wheel.

    def flush(self) -> None:
        self._is_listed = False
        pending = self._pending
        if not pending:
            return
        self.spoke = self._registry.wheel.turn
        while pending and not self._is_paused:
            data = self._next_piece()
            size = len(data)
            self._sent += size
            self._buffered += size
            self._registry.metrics.bytes += size
            if self._house is not None:
                self._house.traffic.sent += size
            self._transport.write(data)
        if self._closes and not pending:
            self._finish()

    def look(self) -> None:
        """Called when nothing was written for a while. Who has taken nothing meanwhile of what waits has gone."""
        gone, before = self.sent_bytes, self._taken
        self._taken = gone
        if gone == before and self._sent > gone:
            self._registry.metrics.ended("stalled", 0)
            self.abort()
        elif self._session is not None:
            self._session.ping()

    # For the event loop.

    def took_over(self, transport: asyncio.Transport, house: House, head: bytes, rest: bytes) -> None:
        self._transport = transport
        self._house = house
        self._room = self._registry.options.queue_bytes
        _give_up_the_silent(transport)
        self._registry.entered(self)
        self.write(head)
        make, self._make = self._make, None
        assert make is not None
        try:
            self._session = make(self)
        except BaseException:
            self.abort()
            raise
        if rest:
            self.data_received(rest)

    def never_began(self) -> None:
        """Tells that there is no socket for it any more, if it has not got one."""
        if self._make is not None:
            self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._make = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drop()
        self._forget()
        if self._house is not None:
            self._house.left(self)
        self._registry.left(self)

    def eof_received(self) -> bool:
        """A client that stops sending has left: a stream has no last word of its own."""
        self._forget()
        self._hang_up_after(LINGER_SECONDS)
        return False  # which closes it

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._pending and not self._is_listed:
            self._is_listed = True
            self._registry.dispatcher.wrote(self)

    def abort(self) -> None:
        self._transport.abort()

    # For the kinds.

    def _parting(self, farewell: Farewell) -> bytes:
        """The last bytes to send."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Everything is written: close."""
        self._transport.close()

    def _part(self, words: bytes, seconds: float) -> None:
        """Says the last words behind what is pending, and closes. Who has not read them by then is cut off."""
        self._forget()
        self._hang_up_after(seconds)
        self._closes = True
        if words:
            self._pending.append(words)
            self._pending_bytes += len(words)
        if not self._pending:
            self._finish()
        elif not self._is_paused or len(self._pending) == 1:
            # The words alone are given to the socket even if it has enough: they are short.
            self._is_paused = False
            self.flush()

    def _forget(self) -> None:
        self._room = -1
        session, self._session = self._session, None
        if session is None:
            return
        try:
            session.gone()
        except Exception:
            # What it has forgotten to forget must not keep the connection's place, too.
            log.exception("realtime.session_broke")

    def _drop(self) -> None:
        self._pending.clear()
        self._pending_bytes = 0

    def _fits(self, size: int) -> bool:
        """With the transport's own count, for which it is too dear to ask at every frame."""
        if self._room < 0:
            return False
        self._buffered = self._waiting()
        waits = self._pending_bytes + self._buffered
        return not waits or waits + size <= self._room

    def _next_piece(self) -> bytes:
        pending = self._pending
        if self._pending_bytes <= PIECE_BYTES or len(pending) == 1:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            self._drop()
            return data
        count = size = 0
        while count < len(pending) and size < PIECE_BYTES:
            size += len(pending[count])
            count += 1
        data = b"".join(pending[:count])
        del pending[:count]
        self._pending_bytes -= size
        return data

    def _waiting(self) -> int:
        """Bytes that the transport has not sent yet."""
        if self._house is None:
            return 0
        try:
            return self._transport.get_write_buffer_size()
        except RuntimeError:  # how uvloop reports a closed socket
            return 0

    def _hang_up_after(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)


def _give_up_the_silent(transport: asyncio.Transport) -> None:
    if _USER_TIMEOUT is not None:
        with suppress(OSError):  # the client has gone meanwhile
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, _USER_TIMEOUT, _UNACKNOWLEDGED_MS
            )
