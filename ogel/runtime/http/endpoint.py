"""An endpoint: the declared routes of one path, as an ASGI application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from starlette.types import Receive, Scope, Send

from ogel.runtime.http.admission import Admission
from ogel.runtime.http.bodies import BodyDecoder
from ogel.runtime.http.body import read_body
from ogel.runtime.http.credentials import Authenticators, CredentialReader
from ogel.runtime.http.exchange import Network, exchange_of, header
from ogel.runtime.http.input import check_idempotency_key, decode_query
from ogel.runtime.http.places import parameters
from ogel.runtime.http.problem import MethodNotAllowed
from ogel.runtime.http.reply import send_reply
from ogel.runtime.http.route import Call, Route
from ogel.runtime.rates.limiter import Limiter


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """
    max_body_bytes         a larger request body is answered with 413, whatever its route says.
    body_timeout_seconds   a body that takes longer to arrive is answered with 408.
    trusted_proxies        peers whose `X-Real-IP` is believed; the default is Railway's edge.
    """

    max_body_bytes: int = 1024 * 1024
    body_timeout_seconds: float = 15.0
    trusted_proxies: Sequence[Network] = (ip_network("100.64.0.0/10"),)


class Endpoint:
    """Places match the path; the method is chosen here, so that a 405 names all there are."""

    def __init__(
        self,
        routes: Sequence[Route],
        readers: Sequence[CredentialReader],
        authenticators: Authenticators,
        limiter: Limiter | None,
        options: HttpOptions,
    ) -> None:
        self._operations: Mapping[str, _Operation] = {
            route.method: _Operation(
                route, Admission(route.access, readers, authenticators, limiter), options
            )
            for route in routes
        }
        if len(self._operations) != len(routes):
            raise ValueError(f"{routes[0].path} declares a method twice")
        offered = {*self._operations, *({"HEAD"} if "GET" in self._operations else ())}
        self._allowed = ", ".join(sorted(offered))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        # The server leaves out the body of an answer to HEAD.
        operation = self._operations.get("GET" if method == "HEAD" else method)
        if operation is None:
            raise MethodNotAllowed(method, self._allowed)
        await operation.perform(scope, receive, send)


class _Operation:
    """One route: admit the caller, read the input, call the handler, send the reply."""

    def __init__(self, route: Route, admission: Admission, options: HttpOptions) -> None:
        self._route = route
        self._admission = admission
        self._options = options
        self._decoder = None if route.body is None else BodyDecoder(route)
        self._max_body_bytes = min(
            options.max_body_bytes, route.access.max_body_bytes or options.max_body_bytes
        )

    async def perform(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._route
        exchange = exchange_of(scope)
        await self._admission.admit(scope, exchange)
        query = decode_query(route.query, scope["query_string"])
        key = check_idempotency_key(header(scope, b"idempotency-key")) if route.idempotent else None
        body = await self._body(scope, receive)
        call = Call(exchange.caller, parameters(scope), body, query, key)
        await send_reply(await route.handler(call), route.status, send)

    async def _body(self, scope: Scope, receive: Receive) -> Any:
        if self._decoder is None:
            return None
        raw = await read_body(scope, receive, self._max_body_bytes, self._options.body_timeout_seconds)
        return None if self._route.body_optional and not raw else await self._decoder.decode(raw)
