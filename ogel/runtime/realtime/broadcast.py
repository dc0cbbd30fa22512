"""Broadcast: what one process says and every listening process hears, if it listens at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

# The channel that carries events as `message.pack` writes them.
EVENTS = "ogel:realtime:events"
# Carries ids of keys that were revoked. It is a hint: whoever hears it looks in the database.
KEYS = "ogel:keys:ended"

OnMessage = Callable[[bytes], None]


class Broadcast(Protocol):
    async def publish(self, channel: str, payloads: Sequence[bytes]) -> None:
        """
        Raises Unavailable when they could not be handed over within a few seconds. Some may have been heard
        even then, so trying again can say things twice.
        """

    async def listen(
        self,
        channels: Mapping[str, OnMessage],
        on_connected: Callable[[bool], None],
        stop: asyncio.Event,
    ) -> None:
        """
        Until `stop`; reconnects by itself. `on_connected` is told of each change: what is said while it is
        False is missed.
        """
