"""A connection that carries one request at a time."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import cast

from ogel.adapters.egress.response import ResponseReader
from ogel.runtime.egress import EgressError


class Connection(asyncio.Protocol):
    """
    peer         the address at the other end.
    key          where the pool keeps it; set by the pool.
    idle_since   time.monotonic() of its last return to the pool.
    on_lost      called once, when the socket is gone.
    """

    __slots__ = (
        "_answer",
        "_loop",
        "_on_lost",
        "_reader",
        "_sent_at",
        "_transport",
        "first_byte_seconds",
        "idle_since",
        "key",
        "peer",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        peer: str,
        key: tuple[object, ...],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self.peer = peer
        self.key = key
        self.idle_since = 0.0
        self.first_byte_seconds: float | None = None
        self._loop = loop
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[None] | None = None
        self._reader: ResponseReader | None = None
        self._sent_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Whether it can be reused. Our request must have been sent completely: a peer may answer and close before."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and not transport.get_write_buffer_size()

    def request(self, message: bytes, reader: ResponseReader) -> asyncio.Future[None]:
        """Returns when `reader` has the whole response; raises EgressError. A caller that gives up must abort."""
        self.first_byte_seconds = None
        self._reader = reader
        self._answer = answer = self._loop.create_future()
        self._sent_at = time.monotonic()
        if self._transport is None or self._transport.is_closing():
            self._end(None)
        else:
            self._transport.write(message)
        return answer

    def abort(self) -> None:
        """Cut the connection now: nothing more is read, nothing that is still unsent leaves."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            self.abort()  # Nobody asked: whatever this is, the next request must not take it for its answer.
            return
        if self.first_byte_seconds is None:
            self.first_byte_seconds = time.monotonic() - self._sent_at
        try:
            complete = reader.feed(data)
        except EgressError as error:
            self._fail(error)
            self.abort()
            return
        if complete:
            self._succeed()

    def eof_received(self) -> bool:
        self._end(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(exc)
        self._on_lost(self)

    def _end(self, error: Exception | None) -> None:
        if self._reader is None:
            return
        if error is None and self._reader.end():
            self._succeed()
        elif isinstance(error, ssl.SSLError):
            self._fail(EgressError("tls", "the TLS connection failed", detail=str(error)))
        else:
            when = "before" if self.first_byte_seconds is None else "in the middle of"
            detail = str(error or "")
            self._fail(EgressError("reset", f"the connection was closed {when} the answer", detail=detail))

    def expire(self) -> None:
        when = "no answer came" if self.first_byte_seconds is None else "the answer was not complete"
        self._fail(EgressError("timeout", f"{when} in time"))
        self.abort()

    def _succeed(self) -> None:
        answer = self._settle()
        if answer is not None:
            answer.set_result(None)

    def _fail(self, error: EgressError) -> None:
        answer = self._settle()
        if answer is not None:
            answer.set_exception(error)

    def _settle(self) -> asyncio.Future[None] | None:
        """Forget the request; its future, unless it is settled or its caller has gone away."""
        answer, self._answer, self._reader = self._answer, None, None
        return None if answer is None or answer.done() else answer
