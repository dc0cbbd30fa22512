"""The port to the clock, which tells on its own thread that a schedule is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

# Takes a schedule's name and the clock's time; returns when the schedule is due next. None: it was deleted or paused.
# Called on the clock's thread; raises NotHandedOver.
Due = Callable[[str, datetime], datetime | None]


class NotHandedOver(Exception):
    """Nothing took the tick; the clock will offer it again."""


class Clock(Protocol):
    """May fall silent (without Redis) or tell a tick twice; it must never block or break the event loop."""

    def expect(self, times: Mapping[str, datetime]) -> None:
        """
        Sets when schedules are due next; schedules that are not named are removed. Only changes since the last call
        have an effect.
        """

    def start(self, due: Due) -> None: ...

    async def stop(self) -> None:
        """Returns within two seconds, also when the clock was never started."""
