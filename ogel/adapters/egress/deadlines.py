"""Deadlines for very many requests on a single timer, and for a few with a timer each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from ogel.runtime.egress import EgressError

TICK_SECONDS = 0.02


class Expiring(Protocol):
    def expire(self) -> None: ...


class Deadlines:
    """Calls `expire` on what is still there when its time has come, at most a tick (and the loop's lag) late.

    A timer of its own for each request, set and nearly always cancelled, costs more than parsing the answer.
    """

    def __init__(self) -> None:
        self._due: dict[int, dict[Expiring, None]] = {}
        self._passed = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, waiting: Expiring, when: float) -> int:
        """Adds a deadline at `when`, in loop.time(). The result is for `discard`."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._passed = int(loop.time() / TICK_SECONDS)
            self._timer = loop.call_later(TICK_SECONDS, self._tick)
        tick = max(int(when / TICK_SECONDS), self._passed) + 1
        self._due.setdefault(tick, {})[waiting] = None
        return tick

    def discard(self, waiting: Expiring, tick: int) -> None:
        """Must be called once for each `add`, whether or not it has expired."""
        due = self._due.get(tick)
        if due is not None:
            due.pop(waiting, None)
            if not due:
                del self._due[tick]

    def close(self) -> None:
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = int(loop.time() / TICK_SECONDS)
        # Removed before any callback runs, because callbacks may call `add`.
        expired = [
            waiting for tick in range(self._passed + 1, now + 1) for waiting in self._due.pop(tick, ())
        ]
        self._passed = max(now, self._passed)
        self._timer = loop.call_later(TICK_SECONDS, self._tick) if self._due else None
        for waiting in expired:
            waiting.expire()


@asynccontextmanager
async def until(deadline: float, ours: Callable[[], bool] = lambda: False) -> AsyncIterator[None]:
    """A deadline for the phases before the request is sent; after that the shared `Deadlines` are much cheaper.

    When the time is over (loop.time()), `ours` is asked whose fault it is. Raises EgressError("timeout").
    """
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise EgressError("timeout", "no connection could be made in time", ours=ours()) from error
