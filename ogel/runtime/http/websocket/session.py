"""A WebSocket session of an ASGI application: its messages both ways, with limits and an orderly end."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import Protocol

from starlette.types import ASGIApp, Message, Scope

from ogel.runtime.http.answer import head_of
from ogel.runtime.http.exchange import TAKEN_BY
from ogel.runtime.http.head import Head
from ogel.runtime.http.refusal import refusal
from ogel.runtime.http.successor import Successor
from ogel.runtime.http.websocket.allowance import Allowance, Rates
from ogel.runtime.http.websocket.frames import (
    ABNORMAL,
    BINARY,
    CLOSE,
    CONTINUATION,
    INTERNAL,
    NORMAL,
    PING,
    POLICY,
    PONG,
    TEXT,
    FrameReader,
    Said,
    Violation,
    close_frame,
    frame,
    read_close,
)
from ogel.runtime.http.websocket.handshake import accepting, key_of, protocols_of

MAX_MESSAGE_BYTES = 1024 * 1024  # of one incoming message
RATES = Rates()
TOO_MUCH = "too many frames, or too many bytes"
# A peer that is refused while it sends gets this long to read the reason.
LINGER_SECONDS = 1.0
# Of messages that the application has not asked for yet: above either, the client is not read.
_MAX_WAITING, _MAX_WAITING_BYTES = 10, 64 * 1024


class Wire(Protocol):
    """What a session needs from its connection."""

    def write(self, data: bytes) -> None: ...

    async def drained(self) -> None: ...

    def flow(self, on: bool) -> None: ...

    def hang_up(self, seconds: float) -> None: ...

    def hand_over(self, successor: Successor, head: bytes) -> None: ...


class _State(Enum):
    HANDSHAKE = auto()
    OPEN = auto()
    REFUSING = auto()  # the application refuses it by an ordinary answer, which has begun
    OVER = auto()


class Session:
    """Made when the request can become a WebSocket; raises Refused when it cannot. `run` is its application's task."""

    # Once it is open.
    _reader: FrameReader
    _allowance: Allowance

    def __init__(self, wire: Wire, app: ASGIApp, head: Head, scope: Scope) -> None:
        self._key = key_of(head.fields)
        self._app = app
        self._scope = {
            **{key: value for key, value in scope.items() if key != "method"},
            "type": "websocket",
            "scheme": "ws",
            "subprotocols": protocols_of(head.fields),
            "extensions": {"websocket.http.response": {}},
        }
        self._wire = wire
        self._state = _State.HANDSHAKE
        self._waiting: deque[Message] = deque([{"type": "websocket.connect"}])
        self._waiting_bytes = 0
        self._some = asyncio.Event()
        self._some.set()
        self._farewell: Message = {"type": "websocket.disconnect", "code": ABNORMAL}

    # For the connection.

    def received(self, data: bytes) -> None:
        if self._state is _State.HANDSHAKE:
            # Words before the handshake is answered: they may be a request that somebody has smuggled in.
            self._wire.write(refusal(400, "A WebSocket's client waits for the answer to its handshake."))
            self._end()
        if self._state is not _State.OPEN:
            return
        try:
            self._allowance.read(len(data))
            self._reader.feed(data)
            while self._state is _State.OPEN:
                if self._allowance.is_exceeded:
                    raise Violation(POLICY, TOO_MUCH)
                if (said := self._reader.next()) is None:
                    break
                self._allowance.frame()
                self._hear(said)
        except Violation as violation:
            self._wire.write(close_frame(violation.code, violation.reason))
            self._wire.hang_up(LINGER_SECONDS)
            self._end()

    def left(self) -> None:
        """The peer has left; nothing can be sent to it any more."""
        self._end()

    async def run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            if self._state is _State.HANDSHAKE:
                self._wire.write(refusal(500, "The application gave no answer."))
            elif self._state is _State.OPEN:
                self._wire.write(close_frame(INTERNAL))
            self._end()

    # What the client says.

    def _hear(self, said: Said) -> None:
        opcode, payload = said
        if opcode == TEXT:
            self._keep({"type": "websocket.receive", "text": payload}, len(payload))
        elif opcode == BINARY:
            self._keep({"type": "websocket.receive", "bytes": payload}, len(payload))
        elif opcode in (CONTINUATION, PONG):
            return
        elif opcode == PING:
            self._wire.write(frame(PONG, payload))  # type: ignore[arg-type]
        elif opcode == CLOSE:
            code, reason = read_close(payload)  # type: ignore[arg-type]
            self._wire.write(close_frame(code))
            self._farewell = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._end()

    def _keep(self, message: Message, size: int) -> None:
        self._waiting.append(message)
        self._waiting_bytes += size
        self._some.set()
        if self._is_full():
            self._wire.flow(False)

    def _is_full(self) -> bool:
        return len(self._waiting) > _MAX_WAITING or self._waiting_bytes > _MAX_WAITING_BYTES

    def _end(self) -> None:
        self._state = _State.OVER
        self._some.set()

    # For the application.

    async def _receive(self) -> Message:
        while not self._waiting and self._state is not _State.OVER:
            self._some.clear()
            await self._some.wait()
        if not self._waiting:
            return self._farewell
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message.get("text") or message.get("bytes") or "")
        if self._state is _State.OPEN and not self._is_full():
            self._wire.flow(True)
        return message

    async def _send(self, message: Message) -> None:
        """What comes when it is over is dropped: the client may have left at any moment."""
        kind = message["type"]
        match self._state, kind:
            case _State.OVER, _:
                return
            case _State.HANDSHAKE, "websocket.accept":
                self._accept(message)
            case _State.HANDSHAKE, "websocket.close":
                self._wire.write(refusal(403, "The application has refused this WebSocket."))
                self._end()
            case _State.HANDSHAKE, "websocket.http.response.start":
                self._wire.write(
                    head_of(message["status"], message.get("headers", ()), b"connection: close\r\n")
                )
                self._state = _State.REFUSING
            case _State.REFUSING, "websocket.http.response.body":
                self._wire.write(bytes(message.get("body", b"")))
                if not message.get("more_body", False):
                    self._end()
            case _State.OPEN, "websocket.send":
                text = message.get("text")
                data = message["bytes"] if text is None else text.encode()
                self._wire.write(frame(BINARY if text is None else TEXT, data))
            case _State.OPEN, "websocket.close":
                code = message.get("code", NORMAL)
                self._wire.write(close_frame(code, message.get("reason") or ""))
                self._end()
            case _:
                raise RuntimeError(f"an application sent {kind} when it could not")
        await self._wire.drained()

    def _accept(self, message: Message) -> None:
        head = accepting(self._key, message.get("subprotocol"), message.get("headers", ()))
        successor: Successor | None = message.get(TAKEN_BY)
        if successor is None:
            self._wire.write(head)
            self._reader = FrameReader(MAX_MESSAGE_BYTES)
            self._allowance = Allowance(RATES)
            self._state = _State.OPEN
        else:
            self._end()
            self._wire.hand_over(successor, head)
