"""What the database has just said, remembered for less than a second, so that it is not asked at each request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

# An answer is used no longer than this after the database was asked, whether or not a change is announced.
BELIEVED_SECONDS = 0.9


class Believed(Generic[Key, Answer]):
    """Answers by what was asked, at most so many. For anything else, or an older one, the database must be asked."""

    def __init__(self, most: int) -> None:
        self._most = most
        # In the order in which the database was asked; each with the monotonic time at which it expires.
        self._known: dict[Key, tuple[Answer, float]] = {}
        self._news_at = float("-inf")

    def find(self, key: Key) -> Answer | None:
        found = self._known.get(key)
        return found[0] if found is not None and time.monotonic() < found[1] else None

    def remember(
        self, key: Key, answer: Answer, asked_at: float, expires_in_seconds: float | None = None
    ) -> None:
        """`asked_at` is the monotonic time before the question; `expires_in_seconds` counts from there."""
        if asked_at <= self._news_at:  # the answer may be older than the news
            return
        seconds = (
            BELIEVED_SECONDS if expires_in_seconds is None else min(BELIEVED_SECONDS, expires_in_seconds)
        )
        self._known.pop(key, None)
        self._known[key] = (answer, asked_at + seconds)
        self._drop_oldest()

    def forget_all(self) -> None:
        """Called when something has changed."""
        self._known.clear()
        self._news_at = time.monotonic()

    def _drop_oldest(self) -> None:
        """Removes expired entries, and the oldest ones when there are too many."""
        now = time.monotonic()
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) <= self._most and self._known[oldest][1] > now:
                return
            del self._known[oldest]


class Questions(Generic[Key, Answer]):
    """
    Who asks the same at the same time shares one question, which matters most when answers are slow. One that is older
    than answers are believed is not shared, because its answer may be that old.
    """

    def __init__(self, ask: Callable[[Key], Awaitable[Answer]]) -> None:
        self._ask = ask
        # Those under way, with the monotonic time at which each began.
        self._asking: dict[Key, tuple[float, asyncio.Task[tuple[Answer, float]]]] = {}

    async def answer(self, key: Key) -> tuple[Answer, float]:
        """Also returns the monotonic time before the question."""
        now = time.monotonic()
        asked_at, asking = self._asking.get(key, (float("-inf"), None))
        if asking is None or now - asked_at >= BELIEVED_SECONDS:
            asking = asyncio.create_task(self._asked(key, now))
            self._asking[key] = now, asking
            asking.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asking)

    def forget_all(self) -> None:
        """Something has changed, so answers to earlier questions are out of date."""
        self._asking.clear()

    async def _asked(self, key: Key, at: float) -> tuple[Answer, float]:
        return await self._ask(key), at

    def _answered(self, key: Key, asking: asyncio.Task[tuple[Answer, float]]) -> None:
        if key in self._asking and self._asking[key][1] is asking:
            del self._asking[key]
        if not asking.cancelled():
            asking.exception()  # retrieves the exception in case nobody awaits the task any more
