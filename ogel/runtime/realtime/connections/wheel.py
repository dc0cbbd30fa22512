"""The ping wheel: looks at every connection once in a while, with one timer for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ogel.runtime.realtime.connections.connection import Connection

SLOTS = 25


class PingWheel:
    """
    A client hears something at least every `seconds` (a twenty-fifth more at most), and one that has taken nothing of
    what waits for it for as long is cut off.

    turn  counts the wheel's steps; a connection notes the one at which it was last written to.
    """

    def __init__(self, seconds: float) -> None:
        self.turn = 0
        self._step_seconds = seconds / SLOTS
        self._slots: list[set[Connection]] = [set() for _ in range(SLOTS + 1)]
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        self._count += 1
        connection.spoke = self.turn
        self._place(connection, self.turn + SLOTS)
        if self._timer is None:
            self._wait()

    def remove(self, connection: Connection) -> None:
        self._count -= 1
        self._slots[connection.slot].discard(connection)

    def _place(self, connection: Connection, turn: int) -> None:
        connection.slot = turn % len(self._slots)
        self._slots[connection.slot].add(connection)

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._step_seconds, self._step)

    def _step(self) -> None:
        self.turn += 1
        here = self.turn % len(self._slots)
        due, self._slots[here] = self._slots[here], set()
        for connection in due:
            self._look_at(connection)
        self._timer = None
        if self._count:
            self._wait()

    def _look_at(self, connection: Connection) -> None:
        heard_until = connection.spoke + SLOTS
        if heard_until > self.turn and not connection.always_pinged:
            self._place(connection, heard_until)
            return
        self._place(connection, self.turn + SLOTS)
        connection.look()
