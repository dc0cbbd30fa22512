"""Waiting for rows of the database with one shared query, which runs while anybody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog

from ogel.runtime.database.database import DatabaseAway

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.04
DATABASE_AWAY_SECONDS = 1.0


class RowWaiter:
    """`look` is called with ids and returns those that need not wait any longer."""

    def __init__(self, look: Callable[[Sequence[str]], Awaitable[Collection[str]]]) -> None:
        self._look = look
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def until(self, id: str, seconds: float) -> None:
        """Waits until `look` returns the id, or the time is over."""
        told = asyncio.Event()
        self._waiting.setdefault(id, set()).add(told)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._go_on_looking())
        try:
            async with asyncio.timeout(seconds):
                await told.wait()
        except TimeoutError:
            return
        finally:
            self._waiting[id].discard(told)
            if not self._waiting[id]:
                del self._waiting[id]

    async def _go_on_looking(self) -> None:
        while self._waiting:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                found = await self._look(list(self._waiting))
            except DatabaseAway as error:
                log.warning("listeners.database_away", error=error.reason)
                await asyncio.sleep(DATABASE_AWAY_SECONDS)
                continue
            for id in found:
                for told in self._waiting.get(id, ()):
                    told.set()
