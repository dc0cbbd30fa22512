"""A queue between a WebSocket connection and its application: messages received and not yet asked for."""

from __future__ import annotations

import asyncio
from collections import deque

from starlette.types import Message

_FAREWELLS = frozenset({"http.disconnect", "websocket.disconnect"})


class Inbox:
    """
    Holds back the connection while the application reads slowly, and never once it has ended.

    hypercorn's own queue would do the first only: the farewell waits behind messages that nobody will read, and the
    connection, its socket and its tasks stay for ever.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Message] = deque()
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    async def put(self, message: Message) -> None:
        """Waits for room. A disconnect message needs none; it comes once, and nothing is put after it."""
        if message["type"] not in _FAREWELLS:
            await self._room.wait()
        self.put_at_once(message)

    def put_at_once(self, message: Message) -> None:
        if self._closed:
            return
        self._waiting.append(message)
        self._signal()

    async def get(self) -> Message:
        while not self._waiting:
            await self._some.wait()
        message = self._waiting.popleft()
        self._signal()
        return message

    def close(self) -> None:
        """Nobody will read any more: waiting messages are dropped, and so are later ones."""
        self._closed = True
        self._waiting.clear()
        self._signal()

    def _signal(self) -> None:
        _turn(self._some, on=bool(self._waiting))
        _turn(self._room, on=len(self._waiting) < self._size)


def _turn(signal: asyncio.Event, *, on: bool) -> None:
    if on:
        signal.set()
    else:
        signal.clear()
