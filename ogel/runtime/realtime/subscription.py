"""A subscription: one client's queue of messages, bounded, with an end that has a reason."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from ogel.runtime.realtime.message import Message


class Reason(StrEnum):
    """Why the hub ended a subscription."""

    SLOW = "slow"  # the client does not read as fast as it is written to
    SHUTDOWN = "shutdown"  # this process stops; another one is there to connect to
    REVOKED = "revoked"  # the key it was opened with was, or may not listen any more
    EXPIRED = "expired"  # that key did


class SubscriptionEnded(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Subscription:
    """Made by `Hub.subscribe`; filled on the event loop, read by one task."""

    def __init__(self, globs: Sequence[str], max_messages: int, max_bytes: int) -> None:
        self.globs = tuple(dict.fromkeys(globs))
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._reason: Reason | None = None

    def offer(self, message: Message) -> bool:
        """False when there is no room: who offers then ends it. One message always fits, however large."""
        full = len(self._waiting) >= self._max_messages or self._bytes + message.size > self._max_bytes
        if full and self._waiting:
            return False
        self._waiting.append(message)
        self._bytes += message.size
        self._some.set()
        return True

    def end(self, reason: Reason) -> int:
        """What waits is given out before a shutdown, and to nobody else. Returns how many messages were dropped."""
        self._reason = reason
        self._some.set()
        if reason is Reason.SHUTDOWN:
            return 0
        dropped = len(self._waiting)
        self._waiting.clear()
        return dropped

    async def next(self, timeout_seconds: float) -> Message | None:
        """The oldest message waiting; None when none came in time. Raises SubscriptionEnded after the last."""
        if not self._waiting and self._reason is None:
            self._some.clear()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._some.wait()
            except TimeoutError:
                return None
        if self._waiting:
            message = self._waiting.popleft()
            self._bytes -= message.size
            return message
        assert self._reason is not None
        raise SubscriptionEnded(self._reason)
