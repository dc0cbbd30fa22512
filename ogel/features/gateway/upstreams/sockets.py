"""WebSockets on their way through: messages both ways, no faster than the slower side takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope, Send

from ogel.features.gateway.upstreams.asking import target_of
from ogel.features.gateway.upstreams.headers import BadAnswer, from_upstream, to_upstream
from ogel.features.gateway.upstreams.proxy import Proxy
from ogel.runtime.egress import EgressError
from ogel.runtime.http.admission import Ending
from ogel.runtime.http.credentials import KEY_PARAMETER, TOKEN_PARAMETER
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.outgoing import Closed, HandshakeRefused, Socket

# RFC 6455 §7.4.1, and IANA's 1014: the gateway got no valid answer. 4401 as realtime has it.
NORMAL, GOING_AWAY, BAD_GATEWAY, KEY_ENDED = 1000, 1001, 1014, 4401
_OF_CREDENTIALS = frozenset({KEY_PARAMETER.encode(), TOKEN_PARAMETER.encode()})
_HANDSHAKE = "sec-websocket-"


class SocketProxy(Proxy):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upstream, exchange = self._upstream, exchange_of(scope)
        await receive()  # websocket.connect
        query = scope["query_string"] if upstream.auth == "open" or upstream.forwards else _keyless(scope)
        url = target_of(upstream, scope["raw_path"], query)
        headers = [
            field
            for field in to_upstream(scope, exchange, upstream, self._our_keys)
            if not field[0].startswith(_HANDSHAKE)
        ]
        try:
            async with self._asking.opened(
                lambda: self._client.websocket(
                    url,
                    headers=headers,
                    protocols=scope.get("subprotocols", ()),
                    timeout_seconds=upstream.timeout,
                ),
                lambda error: error.reason in ("connect", "dns"),
                lambda: None,
            ) as socket:
                exchange.passed_on = True
                await send({"type": "websocket.accept", "subprotocol": socket.protocol})
                await self._joined(scope, socket, receive, send)
        except HandshakeRefused as refused:
            exchange.passed_on = True
            await self._refuse(scope, refused, send)

    async def _joined(self, scope: Scope, socket: Socket, receive: Receive, send: Send) -> None:
        """Passes on until either side ends it, or the caller's key does; then tells the other side as it was said."""
        ended: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()
        forget = self._watching(scope, ended)
        up = asyncio.create_task(_upwards(receive, socket), name="gateway.up")
        down = asyncio.create_task(_downwards(socket, send), name="gateway.down")
        self._count(1)
        try:
            await asyncio.wait({up, down, ended}, return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                closed = up.result()
                await socket.close(closed.code, closed.reason)
                return
            closed = ended.result() if ended.done() else down.result()
            down.cancel()
            await asyncio.gather(down, return_exceptions=True)
            await send({"type": "websocket.close", "code": closed.code, "reason": closed.reason})
            if ended.done():
                await socket.close(GOING_AWAY, "")
        finally:
            self._count(-1)
            forget()
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    def _watching(self, scope: Scope, ended: asyncio.Future[Closed]) -> Callable[[], None]:
        if self._upstream.auth == "open":
            return lambda: None

        def on_end(ending: Ending) -> None:
            if not ended.done():
                ended.set_result(Closed(KEY_ENDED, f"key {ending}"))

        return self._watched(exchange_of(scope), on_end)

    async def _refuse(self, scope: Scope, refused: HandshakeRefused, send: Send) -> None:
        """Refuses with the upstream's own status; its body is left out."""
        exchange = exchange_of(scope)
        try:
            passed = from_upstream(refused.status, refused.raw_headers, exchange, self._upstream)
        except BadAnswer:
            passed, refused.status = [], 502
        fields = [field for field in passed if field[0] not in (b"content-length", b"content-encoding")]
        fields = [field for field in fields if not field[0].startswith(_HANDSHAKE.encode())]
        fields.append((b"content-length", b"0"))
        await send({"type": "websocket.http.response.start", "status": refused.status, "headers": fields})
        await send({"type": "websocket.http.response.body", "body": b""})

    def _count(self, change: int) -> None:
        if self._asking.metrics is not None:
            self._asking.metrics.sockets(self._upstream.path, change)


async def _upwards(receive: Receive, socket: Socket) -> Closed:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code", 1005)
            if code == 1006:
                return Closed(GOING_AWAY, "")
            return Closed(NORMAL if code == 1005 else code, message.get("reason") or "")
        text = message.get("text")
        try:
            await socket.send(text if text is not None else message["bytes"])
        except EgressError:
            # The other direction says how it ended.
            await asyncio.Event().wait()


async def _downwards(socket: Socket, send: Send) -> Closed:
    while True:
        message = await socket.receive()
        if isinstance(message, Closed):
            if message.code == 1006:
                return Closed(BAD_GATEWAY, "the service has gone")
            return Closed(NORMAL if message.code == 1005 else message.code, message.reason)
        kind = "text" if isinstance(message, str) else "bytes"
        await send({"type": "websocket.send", kind: message})


def _keyless(scope: Scope) -> bytes:
    """Returns the query without our key, which browsers can send nowhere else."""
    raw: bytes = scope["query_string"]
    return b"&".join(part for part in raw.split(b"&") if _name_of(part) not in _OF_CREDENTIALS)


def _name_of(parameter: bytes) -> bytes:
    return unquote_to_bytes(parameter.partition(b"=")[0])
