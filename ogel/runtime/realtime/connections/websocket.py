"""A connection that is a WebSocket: it reads frames as well, within limits that are answered before they end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from ogel.kernel.principal import Principal
from ogel.runtime.http.allowance import Allowance
from ogel.runtime.realtime.connections.connection import LINGER_SECONDS, Connection, MakeSession
from ogel.runtime.realtime.connections.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Said,
    Violation,
    close_frame,
    frame,
    read_close,
)
from ogel.runtime.realtime.connections.session import Farewell, Reason

if TYPE_CHECKING:
    from ogel.runtime.realtime.connections.registry import Registry

log = structlog.get_logger(__name__)


class WebSocketConnection(Connection):
    __slots__ = ("_allowance", "_max_message_bytes", "_reader")

    kind = "websocket"

    def __init__(
        self,
        registry: Registry,
        principal: Principal,
        address: str | None,
        make: MakeSession,
        max_message_bytes: int,
    ) -> None:
        super().__init__(registry, principal, address, make)
        self._max_message_bytes = max_message_bytes
        # Made when something comes: most clients only listen.
        self._reader: FrameReader | None = None
        self._allowance: Allowance | None = None

    def data_received(self, data: bytes) -> None:
        if self._house is not None:
            self._house.traffic.received += len(data)
        if self._session is None:
            return  # it has ended: what still comes is read over
        reader, allowance = self._reader, self._allowance
        if reader is None or allowance is None:
            reader = self._reader = FrameReader(self._max_message_bytes)
            allowance = self._allowance = Allowance(self._registry.options.rates)
        allowance.read(len(data))
        reader.feed(data)
        try:
            while self._session is not None and not allowance.is_spent:
                said = reader.next()
                if said is None:
                    return
                allowance.frame()
                self._hear(said, allowance)
        except Violation as violation:
            self._registry.metrics.ended("violation", 0)
            self._close(violation.code, violation.reason)
        except Exception:
            log.exception("realtime.session_broke")
            self.end(Reason.FAILED)
        else:
            self.end(Reason.FLOODED)

    def _hear(self, said: Said, allowance: Allowance) -> None:
        opcode, payload = said
        session = self._session
        assert session is not None
        if opcode in (TEXT, BINARY):
            if allowance.is_exceeded:
                self._registry.metrics.rate_limited()
                session.rate_limited(payload)
            else:
                session.received(payload)
        elif opcode == CLOSE:
            code, _ = read_close(payload)  # type: ignore[arg-type]
            self._close(code)
        elif opcode == PING and not self.write(frame(PONG, payload)):  # type: ignore[arg-type]
            self.end(Reason.SLOW)

    def _close(self, code: int, reason: str = "") -> None:
        """The client has closed it, or has to be closed for: what was answered before is still sent."""
        self._part(close_frame(code, reason), LINGER_SECONDS)

    def _parting(self, farewell: Farewell) -> bytes:
        return farewell.last + close_frame(farewell.code, farewell.reason)

    def _finish(self) -> None:
        """
        The client is to close: whoever does it first has its port kept for a while by the kernel, and closing a socket
        with unread data would send a reset, which overtakes the close frame.
        """
        if not self._transport.is_closing() and self._transport.can_write_eof():
            try:
                self._transport.write_eof()
            except OSError:  # asyncio's own loop says so where the client has gone meanwhile
                self._transport.abort()
