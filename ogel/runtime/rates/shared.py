"""The port to the budgets that all processes share, implemented by adapters/redis/rates.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ogel.runtime.rates.policy import Policy


class Ask(NamedTuple):
    """Asks for `wanted` requests of several policies at once; `keys` name whose budget it is under each of them."""

    keys: Sequence[str]
    policies: Sequence[Policy]
    wanted: int


class BudgetAnswer(NamedTuple):
    """`granted` of the wanted requests, charged to each policy; `owed_seconds` until each is full again."""

    granted: int
    owed_seconds: Sequence[float]


class SharedBudgets(Protocol):
    async def take(self, asks: Sequence[Ask]) -> Sequence[BudgetAnswer]:
        """
        Each ask is granted or refused as a whole: if one of its policies refuses, none is charged. Raises Unavailable.
        """
