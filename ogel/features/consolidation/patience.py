"""Railway's limits: a word to wait is waited for, and from then on requests are spread over time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ogel.runtime.railway import RailwayError

AT_ONCE = 6
# Plans allow ten a second at the least; others may be asking with the same token.
SPREAD_SECONDS = 0.15
# All waiting of an audit together. What takes longer is the limit of an hour, and told instead.
MOST_SECONDS = 60.0
_UNSAID_SECONDS = 1.0

Got = TypeVar("Got")


class Patience:
    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._ends: float | None = None
        self._next = 0.0

    async def ask(self, question: Callable[[], Awaitable[Got]]) -> Got:
        """`question` may be asked several times. Raises RailwayError."""
        async with self._slots:
            while True:
                await self._spread()
                try:
                    return await question()
                except RailwayError as error:
                    seconds = _UNSAID_SECONDS if error.retry_seconds is None else error.retry_seconds
                    if error.cause != "limited" or not self._has(seconds):
                        raise
                    await asyncio.sleep(seconds)

    def _has(self, seconds: float) -> bool:
        now = time.monotonic()
        if self._ends is None:
            self._ends = now + MOST_SECONDS
        return now + seconds < self._ends

    async def _spread(self) -> None:
        if self._ends is not None:
            now = time.monotonic()
            self._next = max(now, self._next + SPREAD_SECONDS)
            await asyncio.sleep(self._next - now)
