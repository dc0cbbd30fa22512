"""A session: a dialect's side of one connection. And the words between the two."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol


class Reason(StrEnum):
    """Why the server ends a connection."""

    SLOW = "slow"  # the client reads more slowly than messages arrive
    BEHIND = "behind"  # it missed more than can be said at once, and has got the first part of that
    FLOODED = "flooded"  # it has sent more than it may
    SHUTDOWN = "shutdown"  # this process stops; the client can reconnect to another
    REVOKED = "revoked"  # its key or session was revoked, or has lost the scope
    EXPIRED = "expired"  # its key or session has expired
    REFUSED = "refused"  # it does not speak the dialect, or brought a token that nobody knows
    FAILED = "failed"  # a fault of ours, which the log has


class Farewell(NamedTuple):
    """
    code    what a WebSocket is closed with.
    reason  stands in the close frame.
    last    bytes to send before that, framed for the connection's kind.
    """

    code: int
    reason: str
    last: bytes = b""


class Session(Protocol):
    """
    All methods run on the event loop and do not wait. `received` and `rate_limited` are never called for SSE, whose
    clients say nothing.
    """

    def received(self, message: str | bytes) -> None:
        """One message of the client, within all limits."""

    def rate_limited(self, message: str | bytes) -> None:
        """
        One that came too fast, to be answered with a refusal where the dialect has one: it is not carried out. Who goes
        on is ended as FLOODED.
        """

    def ping(self) -> None:
        """Nothing was written for a while: say the dialect's ping, if it has one."""

    def ended(self, reason: Reason) -> Farewell:
        """The server ends the connection; `gone` follows at once."""

    def gone(self) -> None:
        """Called once, however it ended: nothing can be said any more, so forget everything."""
