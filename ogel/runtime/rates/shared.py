"""What all processes share of the budgets, as the runtime needs it; adapters/redis_rates.py fulfils it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ogel.runtime.rates.policy import Policy


class Ask(NamedTuple):
    """`wanted` requests out of several policies at once; `keys` name whose budget it is under each of them."""

    keys: Sequence[str]
    policies: Sequence[Policy]
    wanted: int


class BudgetAnswer(NamedTuple):
    """`granted` of what was wanted, charged to each policy; `owed_seconds`: until each is whole again."""

    granted: int
    owed_seconds: Sequence[float]


class SharedBudgets(Protocol):
    async def take(self, asks: Sequence[Ask]) -> Sequence[BudgetAnswer]:
        """Each ask at once or not at all: what any of its policies refuses, none is charged. Raises Unavailable."""
