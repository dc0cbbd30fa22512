"""Outgoing requests to hosts that operators chose: providers, sign-in services, the Railway API, upstreams.

Any method and any size, both ways. Where users choose the URL, `runtime/egress.py` is the way: its client looks at each
address before it connects.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ogel.runtime.egress import Exchange, Headers

Body = bytes | AsyncIterable[bytes]


class StreamedAnswer(Protocol):
    """The head of an answer, of any status, and its body as it comes. Redirects are not followed."""

    status: int
    headers: Headers

    def chunks(self) -> AsyncIterator[bytes]:
        """
        Pieces of any size, as they were sent (never decompressed). What is not read yet is not taken from the network
        either, save for some 128 KiB. Raises EgressError.
        """


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
