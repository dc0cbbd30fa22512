"""A conversation with a server: begun once, asked the least it answers to, and ended."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from msgspec import Struct

_MOST_CHARACTERS = 300


class Unanswered(Exception):
    """The server could not be asked. The message is one line, and holds no secret."""


class Conversation(Struct, frozen=True):
    """
    ping   one round trip.
    close  ends it, also after a ping that failed.
    """

    ping: Callable[[], Awaitable[object]]
    close: Callable[[], Awaitable[object]]
    tls: bool
    version: str | None = None
    pooler: str | None = None


def one_line(error: BaseException) -> str:
    """In the system's words where it is the system's error, whatever a driver made of that."""
    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, OSError) and each.errno:
            return os.strerror(each.errno)
    lines = str(error).strip().splitlines()
    return lines[0][:_MOST_CHARACTERS] if lines else type(error).__name__
