"""Errors as the client sees them: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import asyncio
import re

import msgspec
import psycopg
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from ogel.kernel.errors import Invalid, OgelError, Unavailable
from ogel.runtime.database.faults import DatabaseAway, fault_of, told
from ogel.runtime.http.exchange import exchange_of

log = structlog.get_logger()


class RequestTimeout(OgelError):
    status = 408
    title = "Request timeout"


class MethodNotAllowed(OgelError):
    status = 405
    title = "Method not allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"{method[:32]} is not allowed here; allowed: {allowed}.")
        self.allowed = allowed


class Disconnected(Exception):
    """The client went away before its request was complete: there is nobody left to answer."""


class FieldProblem(msgspec.Struct, frozen=True):
    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """`type` is stable and for programs; `detail` is for people; `errors` names each wrong field."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] = []


class Problems:
    """Turns whatever the application raises into a problem document, so that nothing else ever leaves it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (Disconnected, WebSocketDisconnect) as error:
            _let_go(error)
        except asyncio.CancelledError:
            # The server stops and its patience is over.
            if not exchange_of(scope).sent:
                await _answer(Unavailable("The process is stopping.", retry_after_seconds=1), scope, send)
            raise
        except Exception as error:  # noqa: BLE001 - the last resort; _public logs what it does not know
            # No name here may keep what this makes of it: the traceback of that holds this frame.
            try:
                await _end(_public(error, scope), scope, send)
            finally:
                _let_go(error)


async def _end(error: OgelError, scope: Scope, send: Send) -> None:
    sent = exchange_of(scope).sent
    if not sent:
        await _answer(error, scope, send)
    elif sent in ("websocket.accept", "websocket.send"):
        await send({"type": "websocket.close", "code": 1011})
    # An HTTP response that broke off half-way stays incomplete, and the server drops the connection.


def _let_go(error: BaseException) -> None:
    """
    Cuts an error, and what led to it, from the frames they came through: those hold the request and its body, and
    often, in a future or a task, the error itself. Only the garbage collector would find that out.
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
    """What the client may know; the rest goes to the log."""
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


async def _answer(error: OgelError, scope: Scope, send: Send) -> None:
    body = msgspec.json.encode(_problem(error, exchange_of(scope).request_id)) + b"\n"
    # A WebSocket that was not accepted is refused with an ordinary response (ASGI's denial response).
    prefix = "websocket." if scope["type"] == "websocket" else ""
    await send(
        {"type": f"{prefix}http.response.start", "status": error.status, "headers": _headers(error, body)}
    )
    await send({"type": f"{prefix}http.response.body", "body": body})


def _problem(error: OgelError, request_id: str) -> Problem:
    return Problem(
        type=f"urn:ogel:{_kebab(type(error).__name__)}",
        title=error.title,
        status=error.status,
        detail=error.message,
        request_id=request_id,
        errors=[FieldProblem(each.path, each.message) for each in error.errors],
    )


def _headers(error: OgelError, body: bytes) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status in (408, 413):
        # The rest of this body is not wanted.
        headers.append((b"connection", b"close"))
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allowed.encode("latin-1")))
    return headers


def _kebab(name: str) -> str:
    return "internal-error" if name == "OgelError" else re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
