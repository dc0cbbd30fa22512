"""POST to a URL that somebody else chose: vetted address, one deadline, bounded answer."""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import lru_cache

from msgspec import Struct, field

from ogel.adapters.egress.addresses import AddressGuard
from ogel.adapters.egress.connection import Connection
from ogel.adapters.egress.deadlines import Deadlines, until
from ogel.adapters.egress.opener import Opener
from ogel.adapters.egress.pool import IdlePool, Key
from ogel.adapters.egress.proxy import Proxy
from ogel.adapters.egress.request import encode_headers, encode_request, request_prefix
from ogel.adapters.egress.resolver import Resolver, SystemResolver
from ogel.adapters.egress.response import ResponseReader
from ogel.adapters.egress.slots import Slots
from ogel.adapters.egress.system_names import Answer
from ogel.adapters.egress.target import RequestTarget
from ogel.runtime.egress import (
    NO_HEADERS,
    EgressError,
    EncodedHeaders,
    Exchange,
    Headers,
    InvalidUrl,
    RefusedAddress,
    Timings,
)

MAX_CONNECTIONS = 1000
KEEP_ALIVE_SECONDS = 30.0
CLOSE_SECONDS = 2.0
REMEMBERED = 2048  # what the guard said of URLs, and of answers


class _Attempt(Struct):
    """One call of `post` and its current phase. `deadline` is in loop.time()."""

    target: RequestTarget
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
    proxy                every connection goes through it, to an address that our own resolver and guard gave.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        max_connections: int = MAX_CONNECTIONS,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self._guard = guard
        self._max_connections = max_connections
        self._keep_alive_seconds = keep_alive_seconds
        self._resolver: Resolver = resolver or SystemResolver()
        self._opener = Opener(ssl_context, proxy)
        self._prepare = lru_cache(maxsize=REMEMBERED)(self._prepared)
        self._vet = lru_cache(maxsize=REMEMBERED)(self._vetted)
        self._slots = Slots(max_connections)
        self._deadlines = Deadlines()
        self._idle = IdlePool(keep_alive_seconds)
        self._open: set[Connection] = set()
        self._all_lost = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def encode(self, headers: Headers) -> EncodedHeaders:
        return encode_headers(headers)

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
        encoded: EncodedHeaders = NO_HEADERS,
    ) -> Exchange:
        """Send, and read the answer, all within `timeout_seconds`. Raises EgressError.

        Connections are reused only between calls with the same `pool_key`, scheme, host, port and address.
        Headers named in `request.RESERVED` (Host, Content-Length, Connection, …) are ours and are left out.
        `encoded` is what `encode` made of headers that many requests share; both are sent.
        """
        started = time.monotonic()
        target, prefix = self._prepare(url, self._guard.generation)
        message = encode_request(prefix, headers, body, encoded)
        reader = ResponseReader(max_header_bytes, max_body_bytes)
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        attempt = _Attempt(target, message, pool_key, reader, deadline)
        try:
            await self._perform_in_turn(attempt)
        except EgressError as error:
            error.timings, error.peer = attempt.timings, attempt.peer
            error.ours = error.ours or self._closed
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

    def _prepared(self, url: str, generation: int) -> tuple[RequestTarget, bytes]:
        """Prepares a URL. Results are cached until the guard's `generation` changes."""
        try:
            target = self._guard.check_url(url)
        except (InvalidUrl, RefusedAddress) as error:
            raise EgressError("refused_address", error.message) from error
        return target, request_prefix(target)

    async def _perform_in_turn(self, attempt: _Attempt) -> None:
        if self._closed:
            raise EgressError("connect", "outgoing requests have been stopped", ours=True)
        if not self._slots.try_take():
            async with until(attempt.deadline, ours=lambda: True):
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

    def _addresses_at_hand(self, target: RequestTarget) -> Answer | None:
        if target.address is not None:
            return (target.address,)
        answers = self._resolver.cached(target.host)
        return None if answers is None else self._vet(target, answers, self._guard.generation)

    async def _resolved(self, attempt: _Attempt) -> Answer:
        started = time.monotonic()
        try:
            host = attempt.target.host
            async with until(attempt.deadline, ours=lambda: self._resolver.is_silent(host)):
                answers = await self._resolver.resolve(host)
        finally:
            attempt.timings.dns = time.monotonic() - started
        return self._vet(attempt.target, answers, self._guard.generation)

    def _vetted(self, target: RequestTarget, answers: Answer, generation: int) -> Answer:
        """Checks addresses; cached as in `_prepared`."""
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
        """Uses a pooled connection. Returns False when it was stale and a new one should be tried."""
        try:
            await self._exchange(connection, attempt)
        except EgressError as error:
            # A peer may close an idle connection just as we write to it. A request that got not one byte of an answer
            # is therefore sent again, once, and may arrive twice: webhooks are delivered at least once.
            if error.reason == "reset" and connection.first_byte_seconds is None:
                attempt.peer = None
                return False
            raise
        return True

    async def _opened(self, attempt: _Attempt, addresses: Answer) -> Connection:
        if len(self._idle) + self._slots.taken > self._max_connections:
            self._idle.close_oldest()
        loop = asyncio.get_running_loop()

        def connected(address: str) -> Connection:
            attempt.peer = address
            return Connection(loop, address, _key(attempt, address), self._lost)

        connection = await self._opener.open(
            attempt.target, addresses, attempt.deadline, attempt.timings, connected
        )
        if connection.is_open:
            self._open.add(connection)
        if self._closed:
            connection.abort()
        return connection

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
        """Closes idle connections. It runs only while there are any, so that an idle client has no timers."""
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


def _key(attempt: _Attempt, address: str) -> Key:
    target = attempt.target
    return (target.scheme, target.host, target.port, address, attempt.pool_key)
