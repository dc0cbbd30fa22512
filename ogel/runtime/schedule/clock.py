"""The clock as the scheduler service sees it: it tells, from a thread of its own, which schedule is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

# Takes a schedule's name and the time it is, by this clock; answers when to tell it next. None: never again, the
# schedule is no more or paused. Called from the clock's thread; raises NotHandedOver.
Due = Callable[[str, datetime], datetime | None]


class NotHandedOver(Exception):
    """Nobody took the tick now; the clock offers it again."""


class Clock(Protocol):
    """May fall silent (no Redis) or tell a tick twice; it must never block or fail the event loop."""

    def expect(self, times: Mapping[str, datetime]) -> None:
        """When each schedule is due next; those not named are no more. What changed since the last call counts."""

    def start(self, due: Due) -> None: ...

    async def stop(self) -> None:
        """Returns within two seconds, also when it was never started."""
