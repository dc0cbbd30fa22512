"""Stream endpoints: admission as for routes, after which the handler has the connection."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from ogel.kernel.errors import Forbidden
from ogel.runtime.http.admission import Admissions
from ogel.runtime.http.cors import Cors, answer_options, is_same_origin
from ogel.runtime.http.credentials import KEY_PARAMETER, TOKEN_PARAMETER, query_parameter
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.input import decode_query
from ogel.runtime.http.problem import MethodNotAllowed
from ogel.runtime.http.route import Call, Stream
from ogel.runtime.http.router import parameters

_PARAMETERS = (KEY_PARAMETER, TOKEN_PARAMETER)


class StreamEndpoint:
    """Admits the caller before the stream begins, so that a refusal is an ordinary response."""

    def __init__(self, stream: Stream, dialect: Dialect, admissions: Admissions) -> None:
        self._stream = stream
        self._strict = dialect.strict_parameters
        self._cors = dialect.cors
        self._allowed = "GET" if dialect.cors is None else "GET, OPTIONS"
        self._admission = admissions.of(
            stream.access, (*dialect.credentials, query_parameter), dialect.companions
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if scope["type"] == "websocket":
            check_origin(self._cors, exchange.headers)
        elif scope["method"] != "GET":
            if scope["method"] == "OPTIONS" and self._cors is not None:
                await answer_options(self._cors, exchange.headers, self._allowed, send)
                return
            # Not even HEAD: it would be answered by a stream that never ends and that nobody sees.
            raise MethodNotAllowed(scope["method"], self._allowed)
        await self._admission.admit(scope, exchange)
        query = decode_query(
            self._stream.query, scope["query_string"], strict=self._strict, besides=_PARAMETERS
        )
        call = Call(exchange.caller, parameters(scope), None, query, None, exchange.headers)
        await self._stream.handler(call, scope, receive, send)


def check_origin(cors: Cors | None, headers: Mapping[bytes, bytes]) -> None:
    """
    Browsers let every page open a WebSocket and leave it to the server to look where the page is from (RFC 6455
    §10.2). Other clients name no origin. Raises Forbidden.
    """
    origin = headers.get(b"origin")
    if origin is None or cors is None or cors.allows(origin) or is_same_origin(headers):
        return
    raise Forbidden("Pages of this origin may not connect: it is not in OGEL_CORS_ORIGINS.")
