"""HTTP/1.1 and WebSocket as we let hypercorn speak them: uncompressed, within bounds, and to the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import h11
from hypercorn.events import Event as ConnectionEvent
from hypercorn.events import RawData
from hypercorn.protocol.events import Data, Event, Request, Response, StreamClosed
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from wsproto.frame_protocol import CloseReason

from ogel.runtime.http.metrics import Traffic


class Http1(H11Protocol):
    """Without HTTP/2, by upgrade or by prior knowledge: the bounds below would not hold for its streams, and
    the proxy in front speaks it for us.
    """

    def __init__(self, *arguments: Any, hang_up: Callable[[], None], traffic: Traffic) -> None:
        super().__init__(*arguments)
        self._hang_up = hang_up
        self._traffic = traffic

    async def handle(self, event: ConnectionEvent) -> None:
        if isinstance(event, RawData):
            self._traffic.received += len(event.data)
        await super().handle(event)

    async def stream_send(self, event: Event) -> None:
        if isinstance(event, Response) and event.status_code >= 200 and self.context.terminated.is_set():
            event = replace(event, headers=[*event.headers, _LAST])
        await super().stream_send(event)

    async def _check_protocol(self, event: h11.Request) -> None:
        """An upgrade that is not offered is ignored (RFC 9110 §7.8)."""

    async def _create_stream(self, request: h11.Request) -> None:
        context = (
            self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server,
            self.stream_send, STREAM_ID,
        )  # fmt: skip
        if _asks_for_websocket(request):
            assert isinstance(self.connection, h11.Connection)
            self.connection = H11WSConnection(self.connection)
            self.stream = BoundedWebSocket(*context, hang_up=self._hang_up)
        else:
            self.stream = HTTPStream(*context)
        self.keep_alive_requests += 1
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )


class BoundedWebSocket(WSStream):
    """
    Without permessage-deflate (RFC 7692): its windows take several times the memory of a plain connection, and
    compressing as much time as all the rest.

    And with an end: after an error, hypercorn would leave the connection open, keep the rest of a message that
    was too large as it comes in, and not tell the application.
    """

    def __init__(self, *arguments: Any, hang_up: Callable[[], None]) -> None:
        super().__init__(*arguments)
        self._hang_up = hang_up

    async def handle(self, event: Event) -> None:
        if isinstance(event, Request):
            event = replace(event, headers=[each for each in event.headers if each[0] != _EXTENSIONS])
        elif isinstance(event, Data) and self.state in _REFUSED:
            return  # hypercorn would answer a second time
        was_closed = self.closed
        await super().handle(event)
        if self.closed and not was_closed and not isinstance(event, StreamClosed):
            await self._fail()

    async def _handle_events(self) -> None:
        await super()._handle_events()
        if self.buffer.length > self.buffer.max_length:
            # The peer has been sent 1009. From here on, what it sends is not even parsed.
            self.buffer.clear()
            self.closed = True

    async def _fail(self) -> None:
        self._hang_up()
        if self.app_put is not None:
            await self.app_put({"type": "websocket.disconnect", "code": CloseReason.ABNORMAL_CLOSURE})


_LAST = (b"connection", b"close")
_EXTENSIONS = b"sec-websocket-extensions"
_REFUSED = frozenset({ASGIWebsocketState.RESPONSE, ASGIWebsocketState.HTTPCLOSED})


def _asks_for_websocket(request: h11.Request) -> bool:
    fields = [(name, value.strip().lower()) for name, value in request.headers]  # h11 has lowered the names
    tokens = {token.strip() for name, value in fields if name == b"connection" for token in value.split(b",")}
    return request.method == b"GET" and b"upgrade" in tokens and (b"upgrade", b"websocket") in fields
