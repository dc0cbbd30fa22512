"""Who takes a connection over once a stream has answered on it: from then on HTTP has no part in it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ogel.runtime.http.metrics import Traffic


class House(Protocol):
    """What all connections of a server share. A successor counts in it until it says that it has left."""

    traffic: Traffic

    def left(self, connection: Successor) -> None: ...


class Successor(asyncio.Protocol):
    """
    A protocol of asyncio which is given a socket that is connected already. Whoever cannot be given it, because the
    client has gone meanwhile, is only told `connection_lost`.
    """

    __slots__ = ()

    def took_over(self, transport: asyncio.Transport, house: House, head: bytes, rest: bytes) -> None:
        """
        `head`: of the answer, to be written before anything else, perhaps together with it. `rest`: what the client had
        sent behind its request by then.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """Cuts the connection: the time to end in order is over."""
        raise NotImplementedError
