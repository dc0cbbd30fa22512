"""Turns exceptions into responses of the dialect that the request was for; details go to the log only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from ogel.kernel.errors import Invalid, OgelError, Unavailable
from ogel.runtime.database.faults import DatabaseAway, fault_of, told
from ogel.runtime.http.dialect import OWN, Dialect
from ogel.runtime.http.exchange import Disconnected, exchange_of
from ogel.runtime.http.problem import MethodNotAllowed, RangeNotSatisfiable, problem
from ogel.runtime.http.reply import written
from ogel.runtime.http.route import Reply

log = structlog.get_logger()

_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})


class Errors:
    """Middleware around the application: every exception becomes a response of its dialect, and none gets past it."""

    def __init__(self, app: ASGIApp, dialects: Sequence[Dialect]) -> None:
        self._app = app
        self._dialects = sorted(dialects, key=lambda dialect: len(dialect.prefix), reverse=True)
        self._speaks_cors = any(dialect.cors is not None for dialect in dialects)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._speaks_cors:
            send = self._telling_the_origin(scope, send)
        try:
            await self._app(scope, receive, send)
        except (Disconnected, WebSocketDisconnect) as error:
            _let_go(error)
        except asyncio.CancelledError:
            # The server is stopping, and the time for finishing requests is over.
            if not exchange_of(scope).sent:
                await self._answer(
                    Unavailable("The process is stopping.", retry_after_seconds=1), scope, send
                )
            raise
        except Exception as error:  # noqa: BLE001 - the last resort; _public logs what it does not know
            # The exception made here must not be bound to a local name: its traceback holds this frame (a reference
            # cycle).
            try:
                await self._end(_public(error, scope), scope, send)
            finally:
                _let_go(error)

    async def _end(self, error: OgelError, scope: Scope, send: Send) -> None:
        sent = exchange_of(scope).sent
        if not sent:
            await self._answer(error, scope, send)
        elif sent in ("websocket.accept", "websocket.send"):
            await send({"type": "websocket.close", "code": 1011})
        # A response that broke off stays incomplete, and the server drops the connection.

    async def _answer(self, error: OgelError, scope: Scope, send: Send) -> None:
        reply = self._rendered(error, scope)
        status, headers, body = written(reply, reply.value, error.status)
        said = {name for name, _ in headers}
        headers += [field for field in _of_http(error) if field[0] not in said]
        # A WebSocket that was not accepted is refused by an ordinary response (ASGI's denial response).
        prefix = "websocket." if scope["type"] == "websocket" else ""
        await send({"type": f"{prefix}http.response.start", "status": status, "headers": headers})
        await send({"type": f"{prefix}http.response.body", "body": body})

    def _rendered(self, error: OgelError, scope: Scope) -> Reply:
        dialect = self._dialect(scope)
        try:
            return dialect.render_error(error, scope)
        except Exception:
            log.exception("http.error_not_rendered", dialect=dialect.name)
            return problem(error, scope)

    def _telling_the_origin(self, scope: Scope, send: Send) -> Send:
        """Adds the CORS headers, which a browser needs on errors too."""
        origin = exchange_of(scope).headers.get(b"origin")

        async def told(message: Message) -> None:
            if message["type"] in _STARTS and (cors := self._dialect(scope).cors) is not None:
                message = {**message, "headers": [*message.get("headers", ()), *cors.of_answer(origin)]}
            await send(message)

        return told

    def _dialect(self, scope: Scope) -> Dialect:
        """Returns the dialect of the request. For an unknown path, its prefix decides."""
        place = exchange_of(scope).place
        if place is not None:
            return place.dialect
        return next((each for each in self._dialects if each.holds(scope["path"])), OWN)


def _let_go(error: BaseException) -> None:
    """
    Drops the tracebacks of an error and its causes. Their frames hold the request and its body, and often (in a future
    or task) the error itself, a cycle that only the garbage collector would free.
    """
    led_to_it: list[BaseException | None] = [error]
    seen: set[int] = set()
    while led_to_it:
        each = led_to_it.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = None
        led_to_it += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            led_to_it += each.exceptions


def _public(error: Exception, scope: Scope) -> OgelError:
    """Returns the error that the client may see, and logs the rest."""
    if isinstance(error, OgelError) and error.status < 500:
        return error
    exchange = exchange_of(scope)
    where = {
        "request_id": exchange.request_id,
        "method": scope.get("method", "WEBSOCKET"),
        "path": exchange.template,
    }
    match error:
        case OgelError():
            log.warning("http.unavailable", error=error.message, cause=repr(error.__cause__), **where)
            return error
        case psycopg.OperationalError():
            log.warning("http.database_away", error=str(error), **where)
            return fault_of(error) or told(DatabaseAway)
        case psycopg.DataError():
            log.warning("http.data_refused", error=str(error), **where)
            return Invalid(
                "The database cannot hold a value of this request (a NUL character, or a number too large)."
            )
        case _:
            log.error("http.error", exc_info=error, **where)
            return OgelError("Something went wrong on our side. The request id finds it in our log.")


def _of_http(error: OgelError) -> list[tuple[bytes, bytes]]:
    """Headers that HTTP requires with the status of an error."""
    headers = []
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status in (408, 413):
        # The rest of this body will not be read.
        headers.append((b"connection", b"close"))
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    if isinstance(error, RangeNotSatisfiable):
        headers.append((b"content-range", b"bytes */%d" % error.size))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allowed.encode("latin-1")))
    return headers
