"""Opens connections to vetted addresses, ready for a request."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Sequence

from ogel.adapters.egress.connection import Connection
from ogel.adapters.egress.deadlines import until
from ogel.adapters.egress.dial import Dial, dial
from ogel.adapters.egress.proxy import Proxy
from ogel.adapters.egress.target import RequestTarget
from ogel.runtime.egress import EgressError, Timings


class Opener:
    """Dials, through the proxy if there is one, and does the TLS handshake with the target itself."""

    def __init__(self, ssl_context: ssl.SSLContext | None, proxy: Proxy | None) -> None:
        self._ssl_context = ssl_context
        self._proxy = proxy
        self._dial: Dial = dial if proxy is None else proxy.dial

    async def open(
        self,
        target: RequestTarget,
        addresses: Sequence[str],
        deadline: float,
        timings: Timings,
        connected: Callable[[str], Connection],
    ) -> Connection:
        """Opens a connection. `connected` makes the object once an address has accepted. Raises EgressError."""
        began = time.monotonic()
        async with until(deadline, ours=lambda: self._is_proxy_silent(began)):
            opened, address = await self._dial(addresses, target.port, deadline, timings)
        connection = connected(address)
        async with until(deadline):
            await self._attach(connection, opened, target, timings)
        return connection

    def _is_proxy_silent(self, began: float) -> bool:
        return self._proxy is not None and self._proxy.is_silent_since(began)

    async def _attach(
        self, connection: Connection, opened: socket.socket, target: RequestTarget, timings: Timings
    ) -> None:
        """Give the socket to the connection, after the TLS handshake if there is one."""
        loop = asyncio.get_running_loop()
        try:
            if target.scheme == "http":
                await loop.create_connection(lambda: connection, sock=opened)
                return
        except OSError as error:
            raise EgressError("connect", "the connection could not be made", detail=str(error)) from error
        started = time.monotonic()
        try:
            await loop.create_connection(
                lambda: connection, sock=opened, ssl=self._tls(), server_hostname=target.host
            )
        except OSError as error:
            raise EgressError("tls", _explained(error), detail=str(error)) from error
        finally:
            timings.tls = time.monotonic() - started

    def _tls(self) -> ssl.SSLContext:
        # Reading the system's certificates takes some 20 ms and a megabyte, so not before they are needed.
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context


def _explained(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate could not be verified: {error.verify_message}"
    return "the TLS handshake failed"
