"""Outgoing requests to hosts that operators chose: providers, sign-in services, the Railway API, upstreams.

Any method and any size, both ways. Where users choose the URL, `runtime/egress.py` is the way: its client looks at each
address before it connects.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from ogel.runtime.egress import Exchange, Headers

Body = bytes | AsyncIterable[bytes]


class StreamedAnswer(Protocol):
    """
    The head of an answer, of any status, and its body as it comes. Redirects are not followed. `raw_headers` are the
    fields byte by byte.
    """

    status: int
    headers: Headers
    raw_headers: Sequence[tuple[bytes, bytes]]

    def chunks(self) -> AsyncIterator[bytes]:
        """
        Pieces of any size, as they were sent (never decompressed). What is not read yet is not taken from the network
        either, save for some 128 KiB. Raises EgressError.
        """


class Closed(Struct, frozen=True):
    """How the other side ended a WebSocket; 1006: without a word."""

    code: int
    reason: str


class HandshakeRefused(Exception):
    """The answer was no WebSocket, but this one; its body is left out."""

    def __init__(self, status: int, raw_headers: Sequence[tuple[bytes, bytes]]) -> None:
        super().__init__(f"answered {status} instead of a WebSocket")
        self.status = status
        self.raw_headers = raw_headers


class Socket(Protocol):
    """A WebSocket that is open. `protocol` is the subprotocol that the server chose."""

    protocol: str | None

    async def send(self, message: str | bytes) -> None:
        """Waits while the server reads slowly. Raises EgressError once it has gone."""

    async def receive(self) -> str | bytes | Closed:
        """Pings are answered by themselves."""

    async def close(self, code: int, reason: str) -> None: ...


class Upstreams(Protocol):
    """
    Requests that are passed on: no header is added to them, they go through no proxy, and the time for an answer does
    not run while a body is waited for.
    """

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: Body = b"",
        timeout_seconds: float,
        idle_seconds: float,
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """See Outgoing."""

    def websocket(
        self, url: str, *, headers: Headers, protocols: Sequence[str], timeout_seconds: float
    ) -> AbstractAsyncContextManager[Socket]:
        """Raises EgressError or HandshakeRefused. A server that answers no ping for half a minute has gone."""

    async def reach(self, url: str, timeout_seconds: float) -> None:
        """Connects, and hangs up. Raises EgressError."""


class Outgoing(Protocol):
    """
    Both raise EgressError, `ours` when the fault lies on this side of the wire: the proxy, the network, the URL that an
    operator wrote. Nothing is sent a second time: whether a request may be repeated is for the caller to say.
    """

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: Body = b"",
        timeout_seconds: float,
        max_body_bytes: int,
    ) -> Exchange:
        """Sends one request and returns its whole answer, under one deadline."""

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: Body = b"",
        timeout_seconds: float,
        idle_seconds: float,
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """
        The answer's head within `timeout_seconds`; then its body, however long it takes, as long as a piece comes every
        `idle_seconds`. The connection is given back, or cut, at the end of the block.
        """
