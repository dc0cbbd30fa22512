"""Tells this process and all others that what they remember of somebody is out of date."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from ogel.kernel.errors import Unavailable
from ogel.runtime.realtime.broadcast import SESSIONS, Broadcast

log = structlog.get_logger(__name__)

# How long Redis has to take the announcement.
TELL_SECONDS = 1.0


class SessionNews:
    """
    Announcements are hints that make streams end sooner: without them everybody looks again within a second. While one
    is under way, further ones are put together into the next.
    """

    def __init__(self, broadcast: Broadcast | None, here: Callable[[], None]) -> None:
        """`broadcast` is None without Redis; `here` is called at once."""
        self._broadcast = broadcast
        self._here = here
        self._telling: asyncio.Task[None] | None = None
        self._more = False

    def changed(self, user_id: UUID) -> None:
        """The user or a session of theirs has changed, and it is committed."""
        self._here()
        if self._broadcast is None:
            return
        self._more = True
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(self._broadcast))

    async def told(self) -> None:
        """Waits until everybody was told of what has changed so far; TELL_SECONDS for each announcement at most."""
        if self._telling is not None:
            await self._telling

    async def _tell(self, broadcast: Broadcast) -> None:
        while self._more:
            self._more = False
            try:
                async with asyncio.timeout(TELL_SECONDS):
                    await broadcast.publish(SESSIONS, [b"changed"])
            except (TimeoutError, Unavailable) as error:
                log.warning("session.end_not_told", error=str(error) or "no answer")
