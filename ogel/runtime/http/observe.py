"""Middleware that gives every request an id, security headers, a log line and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ogel.runtime.database.patience import be_patient_as_a_request
from ogel.runtime.http.exchange import Clients, Exchange, Network, open_exchange
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.shield import HSTS, defaults_beside

log = structlog.get_logger()

_STARTS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


class Observed:
    def __init__(self, app: ASGIApp, metrics: HttpMetrics, trusted_proxies: Sequence[Network]) -> None:
        self._app = app
        self._metrics = metrics
        self._clients = Clients(trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        be_patient_as_a_request()
        exchange = open_exchange(scope, self._clients)

        async def marked(message: Message) -> None:
            exchange.sent = kind = message["type"]
            if kind in _STARTS:
                exchange.status = message.get("status", 101)
                message = {**message, "headers": _with_marks(message.get("headers", ()), exchange)}
            await send(message)

        self._metrics.began()
        tokens = structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            await self._app(scope, receive, marked)
        finally:
            self._ended(scope, exchange, time.perf_counter() - began)
            structlog.contextvars.reset_contextvars(**tokens)

    def _ended(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        route, status = exchange.template, exchange.status
        method = scope.get("method", "WEBSOCKET")
        stream = exchange.lasting or (exchange.place is not None and exchange.place.stream)
        self._metrics.ended(route, method, status, seconds, stream, exchange.rate, not exchange.passed_on)
        # 503 is sent on purpose: a dependency is away, and the code that noticed has logged it. What other servers
        # answered is no failure of ours.
        failed = status >= 500 and status != 503 and not exchange.passed_on
        write = log.error if failed else log.warning if status >= 400 else log.info
        if status == 200 and route.startswith("/health/"):
            # Platforms probe every few seconds, so only failures are logged.
            write = log.debug
        write(
            "http.request",
            method=method[:32],
            path=route,  # the template without the query string, since real ones may hold keys
            status=status,
            ms=round(seconds * 1000, 3),
            rate=exchange.rate,
            ip=exchange.ip,
            request_id=exchange.request_id,
            principal=exchange.principal.id,
        )


class Unobserved:
    """For commands that call the application in their own process; they log what they want themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._clients = Clients(())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        open_exchange(scope, self._clients)
        await self._app(scope, receive, send)


def _with_marks(headers: Iterable[tuple[bytes, bytes]], exchange: Exchange) -> list[tuple[bytes, bytes]]:
    marked = list(headers)
    if not exchange.passed_on:
        marked += defaults_beside(marked)
    if exchange.secure:
        marked.append(HSTS)
    marked += ((b"x-request-id", exchange.request_id.encode("ascii")), *exchange.limits)
    return marked
