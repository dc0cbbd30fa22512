"""Why a deployment does not pass, as scripts know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ogel.kernel.errors import OgelError

Cause = Literal[
    "unreachable",
    "tls",
    "redirected",
    "not_ogel",
    "no_application",
    "not_ready",
    "unhealthy",
    "key",
    "scopes",
    "limited",
    "version",
    "schema",
    "schedules",
    "queues",
    "event",
    "delivery",
    "signature",
    "realtime",
    "storage",
    "leftovers",
    "time",
]
# docs/deploying.md has the same table, and a test compares. 1 and 2 are every command's.
EXIT_CODES: Mapping[Cause, int] = {
    "unreachable": 10,
    "tls": 11,
    "redirected": 12,
    "not_ogel": 13,
    "no_application": 14,
    "not_ready": 15,
    "unhealthy": 16,
    "key": 20,
    "scopes": 21,
    "limited": 22,
    "version": 30,
    "schema": 31,
    "schedules": 40,
    "queues": 41,
    "event": 50,
    "delivery": 51,
    "signature": 52,
    "realtime": 53,
    "storage": 54,
    "leftovers": 60,
    "time": 70,
}


class Problem(OgelError):
    """`passing`: it may be over in a moment, as while one deployment takes the place of another."""

    def __init__(self, cause: Cause, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.cause: Cause = cause
        self.passing = passing
