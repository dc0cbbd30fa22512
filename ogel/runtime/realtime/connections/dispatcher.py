"""
Hands out publications and writes what waits for clients, in slices, so that a large fan-out holds up nothing else that
this process does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

# A turn of the event loop hands out for this long at most, then writes for as long.
SLICE_SECONDS = 0.002
# Handed out to each client before all of them are written to, so that none seems slow because we are.
ROUND_BYTES = 256 * 1024
# Beyond this, whoever brings publications is asked to wait.
MAX_BACKLOG = 1_000
_CONNECTIONS_AT_ONCE = 16


class FanOut(Protocol):
    """One publication on its way to its listeners."""

    size: int

    def hand_out(self, until: float) -> bool:
        """Goes on until that time by time.perf_counter, and at least a little. Returns whether it is done."""


class Written(Protocol):
    def flush(self) -> None:
        """Gives what was written to the socket."""


class Dispatcher:
    """One for a process. Publications are handed out in the order in which they came."""

    def __init__(self) -> None:
        self._fan_outs: deque[FanOut] = deque()
        self._written: deque[Written] = deque()
        self._round = 0
        self._scheduled = False
        self._room: asyncio.Event | None = None

    def hand_out(self, fan_out: FanOut) -> None:
        self._fan_outs.append(fan_out)
        self._schedule()

    def wrote(self, connection: Written) -> None:
        """It is flushed once, soon. Whatever else is written to it by then goes along."""
        self._written.append(connection)
        self._schedule()

    @property
    def is_settled(self) -> bool:
        return not self._fan_outs

    @property
    def is_behind(self) -> bool:
        return len(self._fan_outs) > MAX_BACKLOG

    async def caught_up(self) -> None:
        """Waits until there is room for more publications."""
        if self._room is None:
            self._room = asyncio.Event()
        await self._room.wait()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        try:
            self._hand_out_some()
            self._write_some()
        finally:
            # An error is one connection's or publication's, which is behind us.
            self._scheduled = False
            if self._fan_outs or self._written:
                self._schedule()
        if self._room is not None and not self.is_behind:
            self._room.set()
            self._room = None

    def _hand_out_some(self) -> None:
        until = time.perf_counter() + SLICE_SECONDS
        if not self._written:
            self._round = 0
        while self._fan_outs and self._round < ROUND_BYTES:
            fan_out = self._fan_outs.popleft()
            if fan_out.hand_out(until):
                self._round += fan_out.size
            else:
                self._fan_outs.appendleft(fan_out)
            if time.perf_counter() >= until:
                return

    def _write_some(self) -> None:
        until = time.perf_counter() + SLICE_SECONDS
        written = self._written
        while written:
            for _ in range(min(len(written), _CONNECTIONS_AT_ONCE)):
                written.popleft().flush()
            if time.perf_counter() >= until:
                return
