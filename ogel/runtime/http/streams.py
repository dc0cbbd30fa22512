"""Stream endpoints: admission as for routes, after which the handler has the connection."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from ogel.runtime.http.admission import Admissions
from ogel.runtime.http.credentials import KEY_PARAMETER, key_parameter
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.input import decode_query
from ogel.runtime.http.problem import MethodNotAllowed
from ogel.runtime.http.route import Call, Stream
from ogel.runtime.http.router import parameters


class StreamEndpoint:
    """Admits the caller before the stream begins, so that a refusal is an ordinary response."""

    def __init__(self, stream: Stream, dialect: Dialect, admissions: Admissions) -> None:
        self._stream = stream
        self._strict = dialect.strict_parameters
        self._admission = admissions.of(stream.access, (*dialect.credentials, key_parameter))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # HEAD is refused as well: the answer would be a stream that never ends and that nobody sees.
        if scope["type"] == "http" and scope["method"] != "GET":
            raise MethodNotAllowed(scope["method"], "GET")
        exchange = exchange_of(scope)
        await self._admission.admit(scope, exchange)
        query = decode_query(
            self._stream.query, scope["query_string"], strict=self._strict, besides=KEY_PARAMETER
        )
        call = Call(exchange.caller, parameters(scope), None, query, None, exchange.headers)
        await self._stream.handler(call, scope, receive, send)
