"""A stream's way in: the same admission as a route's, and then its handler has the connection."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from ogel.runtime.http.admission import Admission
from ogel.runtime.http.credentials import KEY_PARAMETER, Authenticators, CredentialReader, key_parameter
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.input import decode_query
from ogel.runtime.http.places import parameters
from ogel.runtime.http.problem import MethodNotAllowed
from ogel.runtime.http.route import Call, Stream
from ogel.runtime.rates.limiter import Limiter


class StreamEndpoint:
    """What is refused is refused before the stream begins."""

    def __init__(
        self,
        stream: Stream,
        readers: Sequence[CredentialReader],
        authenticators: Authenticators,
        limiter: Limiter | None,
    ) -> None:
        self._stream = stream
        self._admission = Admission(stream.access, (*readers, key_parameter), authenticators, limiter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not even HEAD: it would be answered by a stream that never ends and that nobody sees.
        if scope["type"] == "http" and scope["method"] != "GET":
            raise MethodNotAllowed(scope["method"], "GET")
        exchange = exchange_of(scope)
        await self._admission.admit(scope, exchange)
        query = decode_query(self._stream.query, scope["query_string"], besides=KEY_PARAMETER)
        call = Call(exchange.caller, parameters(scope), None, query)
        await self._stream.handler(call, scope, receive, send)
