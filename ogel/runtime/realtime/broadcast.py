"""Broadcasts between processes: a message reaches every process that is listening at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

# Carries the ids of revoked keys. They are hints: receivers look the key up in the database.
KEYS = "ogel:keys:ended"
# Says that sessions have ended, or users were changed: a hint, too.
SESSIONS = "ogel:sessions:ended"

# What it returns, if anything, is waited for before the next message is read.
OnMessage = Callable[[bytes], Awaitable[None] | None]


class Broadcast(Protocol):
    async def publish(self, channel: str, payloads: Sequence[bytes]) -> None:
        """
        Raises Unavailable when the messages could not be handed over within a few seconds. Some may have been received
        even then, so a repetition can duplicate them.
        """

    async def listen(
        self,
        channels: Mapping[str, OnMessage],
        on_connected: Callable[[bool], None],
        stop: asyncio.Event,
    ) -> None:
        """
        Listens until `stop`, and reconnects by itself. `on_connected` is called with each change of the connection;
        messages sent while it is False are missed.
        """
