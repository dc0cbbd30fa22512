"""Requests and WebSockets that are passed on to servers that operators chose, with aiohttp."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from ogel.adapters.egress.dial import connect_error
from ogel.adapters.egress.outgoing import Faults, OutgoingClient, Progress, checked_headers
from ogel.runtime.egress import EgressError, Headers
from ogel.runtime.outgoing import Closed, HandshakeRefused, Upstreams

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

MAX_CONNECTIONS = 1000
MAX_MESSAGE_BYTES = 4 * 1024 * 1024  # of one message of the server
PING_SECONDS = 20.0  # and half of it for the answer
CLOSE_SECONDS = 2.0


class UpstreamClient(OutgoingClient):
    """No proxy: what is passed on stays on the private network."""

    def __init__(self) -> None:
        super().__init__(max_connections=MAX_CONNECTIONS, passes_on=True)

    @asynccontextmanager
    async def websocket(
        self, url: str, *, headers: Headers, protocols: Sequence[str], timeout_seconds: float
    ) -> AsyncIterator[_Socket]:
        import aiohttp

        progress = Progress(phase="answer")  # aiohttp tells of no other phase of a handshake
        with Faults(progress):
            try:
                async with asyncio.timeout(timeout_seconds):
                    opened = await self.session.ws_connect(
                        url,
                        headers=checked_headers(headers),
                        protocols=protocols,
                        heartbeat=PING_SECONDS,
                        max_msg_size=MAX_MESSAGE_BYTES,
                        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
                    )
            except aiohttp.WSServerHandshakeError as error:
                fields = [] if error.headers is None else error.headers.items()
                raw = [(_bytes(name), _bytes(value)) for name, value in fields]
                raise HandshakeRefused(error.status, raw) from error
        try:
            yield _Socket(opened)
        finally:
            with suppress(Exception):  # it is over, whatever the other side makes of it
                await opened.close()

    async def reach(self, url: str, timeout_seconds: float) -> None:
        from yarl import URL

        target = URL(url)
        failure: OSError | None = None
        try:
            async with asyncio.timeout(timeout_seconds):
                for address in await self._resolver.resolve(target.host or ""):
                    try:
                        _, writer = await asyncio.open_connection(address, target.port)
                    except OSError as error:
                        failure = error
                        continue
                    writer.close()
                    return
        except TimeoutError:
            raise EgressError("timeout", "no connection was made in time") from None
        raise connect_error(failure, socket.AF_INET) from failure


class _Socket:
    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.protocol = socket.protocol
        self._socket = socket

    async def send(self, message: str | bytes) -> None:
        try:
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)
        except (OSError, RuntimeError) as error:
            raise EgressError("reset", "the connection was lost") from error

    async def receive(self) -> str | bytes | Closed:
        import aiohttp

        message: Any = await self._socket.receive()
        match message.type:
            case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                content: str | bytes = message.data
                return content
            case aiohttp.WSMsgType.CLOSE:
                return Closed(message.data or 1005, message.extra or "")
        code = self._socket.close_code
        return Closed(code if code in (1002, 1003, 1007, 1009) else 1006, "")

    async def close(self, code: int, reason: str) -> None:
        await self._socket.close(code=code, message=reason.encode())


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


# Lets the type checker verify that the client implements the port.
_: type[Upstreams] = UpstreamClient
