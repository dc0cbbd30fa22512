"""An endpoint: the declared routes of one path, as an ASGI application."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from ogel.runtime.http.admission import Admissions
from ogel.runtime.http.cors import answer_options, is_preflight
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.exchange import exchange_of, header
from ogel.runtime.http.input import check_idempotency_key, decode_query
from ogel.runtime.http.intake import HttpOptions, body_reader
from ogel.runtime.http.problem import MethodNotAllowed
from ogel.runtime.http.reply import send_reply
from ogel.runtime.http.route import Call, Route
from ogel.runtime.http.router import parameters


class Endpoint:
    """
    All routes of one path. The router matches the path; the method is chosen here, so that a 405 can list all there
    are.
    """

    def __init__(
        self, routes: Sequence[Route], dialect: Dialect, admissions: Admissions, options: HttpOptions
    ) -> None:
        self._cors = dialect.cors
        self._operations: dict[str, _Operation] = {
            route.method: _Operation(route, dialect, admissions, options) for route in routes
        }
        if len(self._operations) != len(routes):
            raise ValueError(f"{routes[0].path} declares a method twice")
        if "GET" in self._operations and all(route.head for route in routes):
            # For HEAD the server leaves out the body.
            self._operations.setdefault("HEAD", self._operations["GET"])
        offered = set(self._operations)
        if self._cors is not None:
            offered.add("OPTIONS")
        self._allowed = ", ".join(sorted(offered))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "OPTIONS" and self._cors is not None:
            headers = exchange_of(scope).headers
            if is_preflight(method, headers) or method not in self._operations:
                await answer_options(self._cors, headers, self._allowed, send)
                return
        operation = self._operations.get(method)
        if operation is None:
            raise MethodNotAllowed(method, self._allowed)
        await operation.perform(scope, receive, send)


class _Operation:
    """One route: admit the caller, read the input, call the handler, send the reply."""

    def __init__(self, route: Route, dialect: Dialect, admissions: Admissions, options: HttpOptions) -> None:
        self._route = route
        self._strict = dialect.strict_parameters
        self._admission = admissions.of(route.access, dialect.credentials, dialect.companions)
        self._body = body_reader(route, dialect.strict_parameters, options)

    async def perform(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._route
        exchange = exchange_of(scope)
        await self._admission.admit(scope, exchange)
        query = decode_query(route.query, scope["query_string"], strict=self._strict)
        key = check_idempotency_key(header(scope, b"idempotency-key")) if route.idempotent else None
        body = None if self._body is None else await self._body(scope, receive)
        call = Call(exchange.caller, parameters(scope), body, query, key, exchange.headers)
        await send_reply(await route.handler(call), route.status, scope, send)
