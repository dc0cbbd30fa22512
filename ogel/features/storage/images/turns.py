"""Turns: who waits for one of a few places, one after the other of each client, so that none holds up the others."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyWait(Exception):
    """No turn came, or none will soon."""


class Turns:
    """
    `places` at once; `most_waiting` of all clients together, each for `seconds`. When that many wait, who has most of
    them makes room for others.
    """

    def __init__(self, places: int, most_waiting: int, seconds: float) -> None:
        self._free = places
        self._most_waiting = most_waiting
        self._seconds = seconds
        # The client who is first here is next; it goes to the end then.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._number = 0

    @asynccontextmanager
    async def of(self, client: str) -> AsyncIterator[None]:
        """Raises TooManyWait."""
        await self._take(client)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, client: str) -> None:
        if self._free:
            self._free -= 1
            return
        if self._number >= self._most_waiting and not self._make_room(client):
            raise TooManyWait
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._number += 1
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()  # it came and the client went in the same moment
            else:
                self._leave(client, turn)
            if isinstance(error, TimeoutError):
                raise TooManyWait from None
            raise

    def _make_room(self, client: str) -> bool:
        """Sends away the last of whoever has most waiting, if that leaves them no fewer than the client then has."""
        most = max(self._waiting.values(), key=len)
        if len(most) < len(self._waiting.get(client, ())) + 2:
            return False
        turn = most.pop()
        self._number -= 1
        if not turn.done():
            turn.set_exception(TooManyWait())
        return True

    def _leave(self, client: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(client)
        if turns is None or turn not in turns:
            return  # it was passed over
        turns.remove(turn)
        self._number -= 1
        if not turns:
            del self._waiting[client]

    def _pass_on(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        client = next(iter(self._waiting))
        turns = self._waiting.pop(client)
        turn = turns.popleft()
        self._number -= 1
        if turns:
            self._waiting[client] = turns
        if turn.done():  # who waited was cancelled, and has not come to leave yet
            self._pass_on()
        else:
            turn.set_result(None)
