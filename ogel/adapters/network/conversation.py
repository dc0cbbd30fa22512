"""A conversation with a server: begun once, asked the least it answers to, and ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct


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
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
