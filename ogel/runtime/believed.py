"""What the database has just said, remembered for less than a second, so that it is not asked at each request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

# An answer is used no longer than this after the database was asked, whether or not a change is announced.
BELIEVED_SECONDS = 0.9


class Believed(Generic[Key, Value]):
    """Answers by what was asked. Who asks the same at the same time shares one question."""

    def __init__(self, ask: Callable[[Key], Awaitable[Value]], most: int) -> None:
        self._ask = ask
        self._most = most
        # In the order in which the database was asked; each with the monotonic time of the question.
        self._known: dict[Key, tuple[float, Value]] = {}
        self._asking: dict[Key, tuple[float, asyncio.Task[Value]]] = {}
        self._news_at = float("-inf")

    async def get(self, key: Key) -> Value:
        found = self._known.get(key)
        if found is not None and time.monotonic() - found[0] < BELIEVED_SECONDS:
            return found[1]
        return await self._asked(key)

    def forget_all(self) -> None:
        """Called when something has changed: answers to earlier questions are out of date."""
        self._known.clear()
        self._asking.clear()
        self._news_at = time.monotonic()

    async def _asked(self, key: Key) -> Value:
        """A question is not shared when its answer may be too old already."""
        now = time.monotonic()
        asked_at, asking = self._asking.get(key, (float("-inf"), None))
        if asking is None or now - asked_at >= BELIEVED_SECONDS:
            asking = asyncio.create_task(self._remembering(key, now))
            self._asking[key] = now, asking
            asking.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asking)

    async def _remembering(self, key: Key, asked_at: float) -> Value:
        value = await self._ask(key)
        if asked_at > self._news_at:
            self._known.pop(key, None)
            self._known[key] = asked_at, value
            self._drop_oldest()
        return value

    def _answered(self, key: Key, asking: asyncio.Task[Value]) -> None:
        if key in self._asking and self._asking[key][1] is asking:
            del self._asking[key]
        if not asking.cancelled():
            asking.exception()  # retrieves the exception in case nobody awaits the task any more

    def _drop_oldest(self) -> None:
        """Removes those that are too old, and the oldest when there are too many."""
        limit = time.monotonic() - BELIEVED_SECONDS
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) <= self._most and self._known[oldest][0] > limit:
                return
            del self._known[oldest]
