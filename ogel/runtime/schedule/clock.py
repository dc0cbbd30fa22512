"""The clock as the scheduler service sees it: it tells, from a thread of its own, which tick is due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

# Takes the schedule's name and its tick. Called from the clock's thread; raises NotHandedOver.
Due = Callable[[str, datetime], None]


class NotHandedOver(Exception):
    """Nobody took the tick now; the clock offers it again."""


class Clock(Protocol):
    """May fall silent (no Redis) or tell a tick twice; it must never block or fail the event loop."""

    def start(self, due: Due) -> None: ...

    async def stop(self) -> None:
        """Returns within two seconds, also when it was never started."""
