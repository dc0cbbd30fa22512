"""
A request to become a WebSocket, and its application: which refuses it, or has the connection taken over, or accepts it
and is spoken for by hypercorn from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from starlette.types import ASGIApp, Message, Scope

from ogel.runtime.http.answer import head_of
from ogel.runtime.http.exchange import TAKEN_BY
from ogel.runtime.http.handshake import accepting, key_of, protocols_of
from ogel.runtime.http.head import Head
from ogel.runtime.http.inbox import Inbox
from ogel.runtime.http.refusal import refusal
from ogel.runtime.http.successor import Successor

if TYPE_CHECKING:
    from ogel.runtime.http.http1 import Http1
    from ogel.runtime.http.websocket import Session

log = structlog.get_logger()

# Messages that the application has not asked for yet. With more, the client is not read.
_MAX_WAITING = 10
_LEFT: Message = {"type": "websocket.disconnect", "code": 1006}


class Upgrade:
    """Made when the request can become a WebSocket; raises Refused when it cannot. `run` is its application's task."""

    def __init__(self, connection: Http1, app: ASGIApp, head: Head, scope: Scope) -> None:
        self._key = key_of(head.fields)
        self._connection = connection
        self._app = app
        self._scope = {
            **{key: value for key, value in scope.items() if key != "method"},
            "type": "websocket",
            "scheme": "ws",
            "subprotocols": protocols_of(head.fields),
            "extensions": {"websocket.http.response": {}},
        }
        self._inbox = Inbox(_MAX_WAITING)
        self._inbox.put_at_once({"type": "websocket.connect"})
        self._session: Session | None = None  # once it is accepted
        self._is_refusing = False  # by an ordinary answer, which has begun
        self._is_over = False

    # For the connection.

    def received(self, data: bytes) -> None:
        if self._session is not None:
            self._session.received(data)
        elif not self._is_over and not self._is_refusing:
            # Words before the handshake is answered: they may be a request that somebody has smuggled in.
            self._connection.write(
                refusal(400, "A WebSocket's client waits for the answer to its handshake.")
            )
            self.left()

    def left(self) -> None:
        """Nothing can be sent to the peer any more."""
        if self._session is not None:
            self._session.left()
        elif not self._is_over:
            self._is_over = True
            self._inbox.put_at_once(_LEFT)

    async def run(self) -> None:
        try:
            await self._app(self._scope, self._inbox.get, self._send)
        except Exception:
            log.exception("http.application_broke")
        finally:
            self._inbox.close()
            if self._session is not None:
                await self._session.end()
            elif not self._is_over and not self._is_refusing:
                self._connection.write(refusal(500, "The application gave no answer."))

    # For the application.

    async def _send(self, message: Message) -> None:
        """What comes when it is over is dropped: the client may have left at any moment."""
        if self._session is not None:
            await self._session.send(message)
        elif not self._is_over:
            await self._answer(message)

    async def _answer(self, message: Message) -> None:
        connection, kind = self._connection, message["type"]
        match self._is_refusing, kind:
            case False, "websocket.accept":
                if (successor := message.get(TAKEN_BY)) is not None:
                    self._hand_over(successor, message)
                else:
                    self._session = await self._accepted(message)
            case False, "websocket.close":
                connection.write(refusal(403, "The application has refused this WebSocket."))
                self.left()
            case False, "websocket.http.response.start":
                fields = message.get("headers", ())
                connection.write(head_of(message["status"], fields, b"connection: close\r\n"))
                self._is_refusing = True
            case True, "websocket.http.response.body":
                connection.write(bytes(message.get("body", b"")))
                await connection.drained()
                if not message.get("more_body", False):
                    self.left()
            case _:
                raise RuntimeError(f"an application sent {kind} when it could not")

    def _hand_over(self, successor: Successor, message: Message) -> None:
        head = accepting(self._key, message.get("subprotocol"), message.get("headers", ()))
        self.left()
        self._connection.hand_over(successor, head)

    async def _accepted(self, message: Message) -> Session:
        from ogel.runtime.http.websocket import Session

        session = Session(self._connection, self._inbox)
        await session.accept(self._key, self._scope["subprotocols"], message)
        return session
