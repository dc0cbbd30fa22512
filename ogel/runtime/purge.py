"""A purge: what a feature forgets after a time. Manifests list them; the cleanup feature runs them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from ogel.runtime.database import Session

Count = Callable[[Session, datetime], Awaitable[int]]
Bite = Callable[[Session, datetime, int], Awaitable[int]]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Purge:
    """
    name            letters, digits, underscores: `ogel cleanup run <name>`; outlives the code.
    deletes         completes "Deletes …": `events that no delivery needs any more`.
    retention_days  what is older goes.
    count           how many there are to delete that are older than the time it gets.
    bite            deletes so many of them at most, in the transaction it gets, and says how many; fewer than it was
                    allowed means that nothing is left.
    after           the purge it waits for while that runs: what is left of that one keeps rows of this one.
    is_firm         what is younger than the retention stays, whoever asks.

    ValueError when the name cannot be used.
    """

    name: str
    deletes: str
    retention_days: float
    count: Count
    bite: Bite
    after: str | None = None
    is_firm: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"purge name {self.name!r} is not made of a-z, 0-9 and _")

    @classmethod
    def of_queries(
        cls,
        name: str,
        deletes: str,
        retention_days: float,
        *,
        count: bytes,
        bite: bytes,
        after: str | None = None,
        is_firm: bool = False,
    ) -> Purge:
        """
        For rows: `count` selects a number and takes `%(before)s`; `bite` is a DELETE that takes `%(before)s` and
        `%(limit)s`, and whose affected rows count.
        """

        async def counted(session: Session, before: datetime) -> int:
            number: int = await session.value(count, {"before": before})
            return number

        async def bitten(session: Session, before: datetime, limit: int) -> int:
            return await session.execute(bite, {"before": before, "limit": limit})

        return cls(name, deletes, retention_days, counted, bitten, after, is_firm)
