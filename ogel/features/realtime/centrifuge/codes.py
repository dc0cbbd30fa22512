"""The numbers by which clients know what went wrong, and whether to come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ogel.runtime.realtime.connections.session import Farewell, Reason


class Error(NamedTuple):
    """The answer to one command. `temporary`: the client tries again by itself."""

    code: int
    message: str
    temporary: bool = False


INTERNAL = Error(100, "internal server error", True)
UNAUTHORIZED = Error(101, "unauthorized")
PERMISSION_DENIED = Error(103, "permission denied")
METHOD_NOT_FOUND = Error(104, "method not found")
ALREADY_SUBSCRIBED = Error(105, "already subscribed")
LIMIT_EXCEEDED = Error(106, "limit exceeded")
BAD_REQUEST = Error(107, "bad request")
NOT_AVAILABLE = Error(108, "not available")
TOKEN_EXPIRED = Error(109, "token expired")
TOO_MANY_REQUESTS = Error(111, "too many requests", True)
UNRECOVERABLE_POSITION = Error(112, "unrecoverable position")


class Unsubscribed(NamedTuple):
    """Why the server ends a subscription. From 2500 on clients subscribe again by themselves, from where they were."""

    code: int
    reason: str


NOT_ANY_MORE = Unsubscribed(2000, "permission denied")
INSUFFICIENT_STATE = Unsubscribed(2500, "insufficient state")
SUBSCRIPTION_EXPIRED = Unsubscribed(2501, "subscription expired")

# Clients come back after 3000 to 3499, and do not after 3500 to 3999.
NO_PONG = Farewell(3012, "no pong")
INVALID_TOKEN = Farewell(3500, "invalid token")
BAD_PROTOCOL = Farewell(3501, "bad request")
STALE = Farewell(3502, "stale")
CONNECTION_LIMIT = Farewell(3504, "connection limit")

# A key that was revoked, or has lost a scope, is looked at again when the client comes back.
FAREWELLS: Mapping[Reason, Farewell] = {
    Reason.SHUTDOWN: Farewell(3001, "shutdown"),
    Reason.FAILED: Farewell(3004, "internal server error"),
    Reason.EXPIRED: Farewell(3005, "connection expired"),
    Reason.REVOKED: Farewell(3005, "revoked"),
    Reason.SLOW: Farewell(3008, "slow"),
    Reason.BEHIND: Farewell(3010, "insufficient state"),
    Reason.FLOODED: Farewell(3013, "too many requests"),
    Reason.REFUSED: BAD_PROTOCOL,
}


class Refused(Exception):
    """A command that is answered with an error."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


class Ended(Exception):
    """A command after which nothing more is said."""

    def __init__(self, farewell: Farewell) -> None:
        super().__init__(farewell.reason)
        self.farewell = farewell
