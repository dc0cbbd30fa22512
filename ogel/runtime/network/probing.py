"""What can be found out about a server by speaking to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from ogel.runtime.network.place import Place
from ogel.runtime.network.server import NamedServer


class Probed(Struct, frozen=True, kw_only=True):
    """
    One host of a server. Nothing of it is secret.

    alias         the name that its name stands for, where that is another one.
    v4, v6        its addresses (A, AAAA).
    tls           None: nobody spoke to it.
    pooler        the one that stands before it, where that could be told.
    version       of the server, where it says it.
    handshake_ms  until it could be asked something: connecting, TLS and signing in.
    p50_ms        of the round trips that followed, `pings` of them.
    error         why it could not be asked; it may have been looked up all the same.
    """

    name: str
    protocol: str
    variable: str | None
    host: str
    port: int
    place: Place
    alias: str | None = None
    v4: Sequence[str] = ()
    v6: Sequence[str] = ()
    tls: bool | None = None
    pooler: str | None = None
    version: str | None = None
    handshake_ms: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    pings: int = 0
    error: str | None = None


class Prober(Protocol):
    async def probe(self, server: NamedServer) -> Probed:
        """Of one place. Ends within PROBE_SECONDS, and raises nothing: what went wrong is in the answer."""


# Each server has so long, and all are asked side by side.
PROBE_SECONDS = 8.0
PINGS = 20
