"""POST to a URL that somebody else chose: vetted address, one deadline, bounded answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from ogel.adapters.egress.addresses import AddressGuard
from ogel.adapters.egress.connection import Connection
from ogel.adapters.egress.deadlines import Deadlines
from ogel.adapters.egress.dial import dial
from ogel.adapters.egress.pool import IdlePool, Key
from ogel.adapters.egress.request import encode_request, request_prefix
from ogel.adapters.egress.resolver import Answer, Resolver, SystemResolver
from ogel.adapters.egress.response import ResponseReader
from ogel.adapters.egress.slots import Slots
from ogel.adapters.egress.target import Target
from ogel.runtime.egress import EgressError, Exchange, Headers, InvalidUrl, RefusedAddress, Timings

MAX_CONNECTIONS = 1000
KEEP_ALIVE_SECONDS = 30.0
CLOSE_SECONDS = 2.0


@dataclass(slots=True)
class _Attempt:
    """One call of `post` on its way through the phases. `deadline` is in loop.time()."""

    target: Target
    message: bytes
    pool_key: str
    reader: ResponseReader
    deadline: float
    timings: Timings = field(default_factory=Timings)
    peer: str | None = None


class EgressClient:
    """
    max_connections      open at once, idle ones included; further requests wait, within their own deadline.
    keep_alive_seconds   how long an unused connection stays open.
    resolver             host name to addresses; the default is the system's, bounded and shared.
    ssl_context          for a private certificate authority; certificates are always verified.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        max_connections: int = MAX_CONNECTIONS,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._max_connections = max_connections
        self._keep_alive_seconds = keep_alive_seconds
        self._resolver: Resolver = resolver or SystemResolver()
        self._ssl_context = ssl_context
        self._prepare = lru_cache(maxsize=2048)(self._prepared)
        self._slots = Slots(max_connections)
        self._deadlines = Deadlines()
        self._idle = IdlePool(keep_alive_seconds)
        self._open: set[Connection] = set()
        self._all_lost = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def post(
        self,
        url: str,
        *,
        headers: Headers,
        body: bytes,
        timeout_seconds: float,
        pool_key: str,
        max_body_bytes: int = 16384,
        max_header_bytes: int = 16384,
    ) -> Exchange:
        """Send, and read the answer, all within `timeout_seconds`. Raises EgressError.

        Connections are reused only between calls with the same `pool_key`, scheme, host, port and address.
        Headers named in `request.RESERVED` (Host, Content-Length, Connection, …) are ours and are left out.
        """
        started = time.monotonic()
        target, prefix = self._prepare(url)
        message = encode_request(prefix, headers, body)
        reader = ResponseReader(max_header_bytes, max_body_bytes)
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        attempt = _Attempt(target, message, pool_key, reader, deadline)
        try:
            await self._perform_in_turn(attempt)
        except EgressError as error:
            error.timings, error.peer = attempt.timings, attempt.peer
            raise
        finally:
            attempt.timings.total = time.monotonic() - started
        answer = bytes(reader.body)
        return Exchange(
            reader.status, reader.headers, answer, reader.truncated, attempt.peer, attempt.timings
        )

    async def close(self) -> None:
        """Cut every connection, those in use as well: let requests finish first if they should."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.abort()
        if self._open:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._all_lost.wait()
        self._deadlines.close()

    def _prepared(self, url: str) -> tuple[Target, bytes]:
        try:
            target = self._guard.check_url(url)
        except (InvalidUrl, RefusedAddress) as error:
            raise EgressError("refused_address", error.message) from error
        return target, request_prefix(target)

    async def _perform_in_turn(self, attempt: _Attempt) -> None:
        if self._closed:
            raise EgressError("connect", "outgoing requests have been stopped")
        if not self._slots.try_take():
            async with _until(attempt.deadline):
                await self._slots.take()
        try:
            await self._perform(attempt)
        finally:
            self._slots.give_back()

    async def _perform(self, attempt: _Attempt) -> None:
        addresses = self._addresses_at_hand(attempt.target)
        if addresses is None:
            addresses = await self._resolved(attempt)
        connection = self._idle_connection(attempt, addresses)
        if connection is None or not await self._reused(connection, attempt):
            await self._exchange(await self._opened(attempt, addresses), attempt)

    def _addresses_at_hand(self, target: Target) -> Answer | None:
        if target.address is not None:
            return (target.address,)
        answers = self._resolver.cached(target.host)
        return None if answers is None else self._vetted(target, answers)

    async def _resolved(self, attempt: _Attempt) -> Answer:
        started = time.monotonic()
        try:
            async with _until(attempt.deadline):
                answers = await self._resolver.resolve(attempt.target.host)
        finally:
            attempt.timings.dns = time.monotonic() - started
        return self._vetted(attempt.target, answers)

    def _vetted(self, target: Target, answers: Answer) -> Answer:
        try:
            return self._guard.vet(target, answers)
        except RefusedAddress as error:
            raise EgressError.refused(f"{target.host} resolved to {', '.join(answers)}") from error

    def _idle_connection(self, attempt: _Attempt, addresses: Answer) -> Connection | None:
        for address in addresses:
            connection = self._idle.take(_key(attempt, address))
            if connection is not None:
                return connection
        return None

    async def _reused(self, connection: Connection, attempt: _Attempt) -> bool:
        """False when the connection proved stale and a new one should be tried."""
        try:
            await self._exchange(connection, attempt)
        except EgressError as error:
            # The peer may close an idle connection just as we write to it, so a request that was met by not
            # one byte is sent again, once. It may arrive twice: webhooks are delivered at least once.
            if error.reason == "reset" and connection.first_byte_seconds is None:
                attempt.peer = None
                return False
            raise
        return True

    async def _opened(self, attempt: _Attempt, addresses: Answer) -> Connection:
        if len(self._idle) + self._slots.taken > self._max_connections:
            self._idle.close_oldest()
        async with _until(attempt.deadline):
            connected, address = await dial(addresses, attempt.target.port, attempt.deadline, attempt.timings)
            attempt.peer = address
            connection = Connection(asyncio.get_running_loop(), address, _key(attempt, address), self._lost)
            await self._attach(connection, connected, attempt)
        if connection.is_open:
            self._open.add(connection)
        if self._closed:
            connection.abort()
        return connection

    async def _attach(self, connection: Connection, connected: socket.socket, attempt: _Attempt) -> None:
        """Give the socket to the connection, after the TLS handshake if there is one."""
        loop = asyncio.get_running_loop()
        try:
            if attempt.target.scheme == "http":
                await loop.create_connection(lambda: connection, sock=connected)
                return
        except OSError as error:
            raise EgressError("connect", "the connection could not be made", detail=str(error)) from error
        started = time.monotonic()
        try:
            await loop.create_connection(
                lambda: connection, sock=connected, ssl=self._tls(), server_hostname=attempt.target.host
            )
        except OSError as error:
            raise EgressError("tls", _explained(error), detail=str(error)) from error
        finally:
            attempt.timings.tls = time.monotonic() - started

    async def _exchange(self, connection: Connection, attempt: _Attempt) -> None:
        attempt.peer = connection.peer
        tick = self._deadlines.add(connection, attempt.deadline)
        try:
            await connection.request(attempt.message, attempt.reader)
        except BaseException:
            connection.abort()
            raise
        finally:
            self._deadlines.discard(connection, tick)
            attempt.timings.first_byte = connection.first_byte_seconds
        if attempt.reader.reusable and connection.reusable and not self._closed:
            self._keep(connection)
        else:
            connection.abort()

    def _keep(self, connection: Connection) -> None:
        self._idle.put(connection)
        if self._sweeper is None:
            self._sweep()

    def _sweep(self) -> None:
        """Runs while there is something to sweep, so an idle client sets no timers."""
        self._idle.close_expired()
        self._sweeper = None
        if len(self._idle):
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(max(self._keep_alive_seconds / 4, 0.05), self._sweep)

    def _lost(self, connection: Connection) -> None:
        self._idle.forget(connection)
        self._open.discard(connection)
        if self._closed and not self._open:
            self._all_lost.set()

    def _tls(self) -> ssl.SSLContext:
        # Reading the system's certificates takes some 20 ms and a megabyte, so not before they are needed.
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context


@asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    """For the phases before the request is sent; after that the shared `Deadlines` are much cheaper."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise EgressError("timeout", "no connection could be made in time") from error


def _key(attempt: _Attempt, address: str) -> Key:
    target = attempt.target
    return (target.scheme, target.host, target.port, address, attempt.pool_key)


def _explained(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate could not be verified: {error.verify_message}"
    return "the TLS handshake failed"
