"""Limits how many requests are under way at once; others wait in line."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """A semaphore whose free case costs no await: `if not slots.try_take(): await slots.take()`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.taken = 0

    def try_take(self) -> bool:
        if self.taken >= self._limit or self._waiting:
            return False
        self.taken += 1
        return True

    async def take(self) -> None:
        """Waits in order of arrival. The caller limits the time, by cancelling."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # The turn came and the caller went in the same moment.
            else:
                self._waiting.remove(turn)
            raise

    def give_back(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # The slot changes hands; it was never free.
                return
        self.taken -= 1
