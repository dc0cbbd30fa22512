"""Outgoing requests to addresses that users choose: what a feature may ask for, and what can come back.

InvalidUrl        422  it is not an http(s) URL that we would call
RefusedAddress    422  it leads to a place that outgoing requests must not reach
EgressError       503  the request was tried and no whole answer came back; `reason` says how, `ours` whose fault it was
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NewType, Protocol

from msgspec import Struct

from ogel.kernel.errors import Invalid, Unavailable

Headers = Sequence[tuple[str, str]]
Reason = Literal[
    "timeout", "dns", "connect", "tls", "refused_address", "too_large", "protocol", "reset", "proxy"
]
# Encoded and checked headers, made only by `Egress.encode`.
EncodedHeaders = NewType("EncodedHeaders", bytes)
NO_HEADERS = EncodedHeaders(b"")


class Timings(Struct):
    """Seconds spent in each phase. None: not reached, or not needed (a connection was reused).

    `first_byte` counts from the moment the request was handed to the socket.
    """

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    total: float = 0.0


class Exchange(Struct):
    """A whole answer, of any status: 3xx is not followed, and what it means is for the caller to say.

    `body` is as it was sent (never decompressed); `truncated`: there was more than `max_body_bytes` of it.
    """

    status: int
    headers: Headers
    body: bytes
    truncated: bool
    peer: str | None
    timings: Timings

    def header(self, name: str) -> str | None:
        """Returns the first header of this name, in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class InvalidUrl(Invalid):
    """The message says what is wrong with the URL."""


class RefusedAddress(Invalid):
    """The message never says which addresses a name resolved to, as that would let the caller map our network."""

    def __init__(self) -> None:
        super().__init__("this host is not allowed: private, loopback and reserved addresses are refused")


class EgressError(Unavailable):
    """`message` is for the owner of the URL; `detail` is for operators only and may name internal addresses.

    `timings` and `peer` (the address connected to) are filled in as far as the request came.

    `ours`: the fault lies on this side of the wire, so it must not cost the receiver an attempt: no name server
    answers, the proxy is down, there are no files, ports or routes left here, too much is under way at once, or
    the client was stopped. Everything a receiver, its name or its network can bring about is not ours.
    """

    def __init__(self, reason: Reason, message: str, *, detail: str = "", ours: bool = False) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.detail = detail
        self.ours = ours
        self.timings = Timings()
        self.peer: str | None = None

    @classmethod
    def refused(cls, detail: str) -> EgressError:
        return cls("refused_address", RefusedAddress().message, detail=detail)


class UrlGuard(Protocol):
    async def check_url(self, url: str) -> None:
        """Checks a URL before it is stored; takes a few seconds at most. Raises InvalidUrl or RefusedAddress."""


class Egress(Protocol):
    def encode(self, headers: Headers) -> EncodedHeaders:
        """Checks and encodes headers that many requests share. Raises EgressError("protocol")."""

    async def post(
        self,
        url: str,
        *,
        headers: Headers,
        body: bytes,
        timeout_seconds: float,
        pool_key: str,
        max_body_bytes: int,
        encoded: EncodedHeaders = NO_HEADERS,
    ) -> Exchange:
        """
        Sends one request under one deadline. Connections are reused within a `pool_key` only. Raises EgressError.

        `encoded` go out before `headers`; both may name the same header, which is then sent twice.
        """
