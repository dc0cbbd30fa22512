"""What other features may ask of costs: what the project on Railway costs, as it was last read."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct


class ThisPeriod(Struct, frozen=True):
    """
    Dollars of the billing period that runs.

    spent     until `read_at`; the least, where something could not be read.
    forecast  at its end; None: it is too early to say.
    budget    of a period; None: there is none.
    """

    spent: float
    forecast: float | None
    budget: float | None
    read_at: datetime
    start: datetime
    end: datetime


class Costs(Protocol):
    async def this_period(self) -> ThisPeriod | None:
        """None where none has been read of it."""
