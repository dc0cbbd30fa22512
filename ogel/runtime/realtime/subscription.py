"""A client's bounded queue of messages, which ends with a reason."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from ogel.runtime.realtime.message import Message


class Reason(StrEnum):
    """Why the hub ended a subscription."""

    SLOW = "slow"  # the client reads more slowly than messages arrive
    SHUTDOWN = "shutdown"  # this process stops; the client can reconnect to another
    REVOKED = "revoked"  # its key was revoked, or has lost the scope
    EXPIRED = "expired"  # its key has expired


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
        """
        Queues a message. Returns False when there is no room, after which the caller ends the subscription. One message
        always fits, however large.
        """
        full = len(self._waiting) >= self._max_messages or self._bytes + message.size > self._max_bytes
        if full and self._waiting:
            return False
        self._waiting.append(message)
        self._bytes += message.size
        self._some.set()
        return True

    def end(self, reason: Reason) -> int:
        """
        Ends the subscription. Only before a shutdown are waiting messages still delivered. Returns how many were
        dropped.
        """
        self._reason = reason
        self._some.set()
        if reason is Reason.SHUTDOWN:
            return 0
        dropped = len(self._waiting)
        self._waiting.clear()
        return dropped

    async def next(self, timeout_seconds: float) -> Message | None:
        """Returns the oldest waiting message; None when none came in time. Raises SubscriptionEnded after the last."""
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
