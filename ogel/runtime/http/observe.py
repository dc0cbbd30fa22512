"""Observed: every request gets an id, its safety headers, a line in the log and its place in the metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ogel.runtime.database_patience import be_patient_as_a_request
from ogel.runtime.http.endpoint import Endpoint
from ogel.runtime.http.exchange import Exchange, Network, open_exchange, path_template
from ogel.runtime.http.metrics import HttpMetrics

log = structlog.get_logger()

# The client left, or we were stopped, before an answer began (nginx's number for it).
_NO_ANSWER = 499
_STARTS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


class Observed:
    def __init__(self, app: ASGIApp, metrics: HttpMetrics, trusted_proxies: Sequence[Network]) -> None:
        self._app = app
        self._metrics = metrics
        self._trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        be_patient_as_a_request()
        exchange = open_exchange(scope, self._trusted_proxies)
        status = _NO_ANSWER

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] in _STARTS:
                status = message.get("status", 101)
                message = {**message, "headers": _with_marks(message.get("headers", ()), exchange.request_id)}
            await send(message)

        self._metrics.began()
        tokens = structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            await self._app(scope, receive, marked)
        finally:
            self._ended(scope, exchange, status, time.perf_counter() - began)
            structlog.contextvars.reset_contextvars(**tokens)

    def _ended(self, scope: Scope, exchange: Exchange, status: int, seconds: float) -> None:
        route = path_template(scope)
        method = scope.get("method", "WEBSOCKET")
        # What matched and is not an Endpoint of ours is a stream, open for as long as someone listens.
        stream = "endpoint" in scope and not isinstance(scope["endpoint"], Endpoint)
        self._metrics.ended(route, method, status, seconds, stream)
        # 503 is said on purpose: something is away, and whoever found it away has logged that.
        failed = status >= 500 and status != 503
        write = log.error if failed else log.warning if status >= 400 else log.info
        if status == 200 and route.startswith("/health/"):
            # Platforms probe every few seconds; only a failure is news.
            write = log.debug
        write(
            "http.request",
            method=method[:32],
            path=route,  # the template, and no query string: real ones may hold keys
            status=status,
            ms=round(seconds * 1000, 2),
            ip=exchange.ip,
            request_id=exchange.request_id,
            principal=exchange.principal.id,
        )


def _with_marks(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    marked = list(headers)
    marked.append((b"x-request-id", request_id.encode("ascii")))
    marked.append((b"x-content-type-options", b"nosniff"))
    if not any(name == b"cache-control" for name, _ in marked):
        marked.append((b"cache-control", b"no-store"))
    return marked
