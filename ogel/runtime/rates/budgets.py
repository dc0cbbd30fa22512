"""
The budgets of all callers that this process meets: counted here, out of shares that it takes from the common budget.

A request finds its share here in nearly every case, and waits for nobody. Redis is asked when a caller is met, then
once for a hundredth of the quota, before the share is used up. Without Redis each process goes on by itself, from what
it heard last.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

import structlog

from ogel.kernel.errors import Unavailable
from ogel.runtime.rates.budget import Budget
from ogel.runtime.rates.metrics import RateMetrics
from ogel.runtime.rates.shared import Ask, SharedBudgets

log = structlog.get_logger(__name__)

# When there are too many callers, the least recently seen is forgotten: what it used is recorded in Redis.
MOST_BUDGETS = 10_000
# How many asks go into one round trip.
MOST_ASKS = 200
# How long requests wait when Redis stalls. After that they do not wait until it answers again…
PATIENCE_SECONDS = 0.25
# …for which it is tried this often.
PROBE_SECONDS = 1.0
# A request that was overtaken by this many others is judged by what this process knows.
_MOST_TURNS = 4

BudgetKey = tuple[str, str]


class Budgets:
    """`shared` is None when no other process could use up the same budgets."""

    def __init__(self, shared: SharedBudgets | None, metrics: RateMetrics) -> None:
        self._shared = shared
        self._metrics = metrics
        self._known: OrderedDict[BudgetKey, Budget] = OrderedDict()
        self._pending: list[Budget] = []
        self._asking: asyncio.Task[None] | None = None
        self._away = False
        self._probe_at = 0.0
        metrics.shared.set(0 if shared is None else 1)
        metrics.budgets.set_function(lambda: len(self._known))

    def find(self, key: BudgetKey) -> Budget | None:
        budget = self._known.get(key)
        if budget is not None:
            self._known.move_to_end(key)
        return budget

    def add(self, key: BudgetKey, budget: Budget) -> Budget:
        self._known[key] = budget
        if len(self._known) > MOST_BUDGETS:
            self._known.popitem(last=False)
        return budget

    def take(self, budget: Budget, now: float) -> bool | None:
        """Decides about one request; None: the decision has to be awaited, with `wait_and_take`."""
        if budget.left > 0:
            budget.left -= 1
            if budget.is_low:
                self._ask_soon(budget, now)
            return True
        if self._shared is None or self._away:
            self._ask_soon(budget, now)
            return budget.spend(now)
        return False if budget.is_spent(now) else None

    async def wait_and_take(self, budget: Budget) -> bool:
        budget.waiting += 1
        try:
            for _ in range(_MOST_TURNS):
                await asyncio.wait((self._ask(budget, time.monotonic()),))
                if (passes := self.take(budget, time.monotonic())) is not None:
                    return passes
        finally:
            budget.waiting -= 1
        return budget.spend(time.monotonic())

    def _ask_soon(self, budget: Budget, now: float) -> None:
        """Asks for more before it is needed, or tests whether Redis is back; nothing waits for the answer."""
        if self._shared is None or budget.is_spent(now) or (self._away and now < self._probe_at):
            return
        self._ask(budget, now)

    def _ask(self, budget: Budget, now: float) -> asyncio.Future[None]:
        if budget.asked is None:
            budget.asked = asyncio.get_running_loop().create_future()
            self._probe_at = now + PROBE_SECONDS
            self._pending.append(budget)
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask_all())
        return budget.asked

    async def _ask_all(self) -> None:
        """Sends all pending asks; only one such task runs at a time."""
        try:
            while self._pending:
                budgets, self._pending = self._pending[:MOST_ASKS], self._pending[MOST_ASKS:]
                try:
                    await self._ask_for(budgets)
                finally:
                    _answered(budgets)
                if self._away:
                    _answered(self._pending)
                    self._pending = []
        finally:
            self._asking = None

    async def _ask_for(self, budgets: Sequence[Budget]) -> None:
        assert self._shared is not None
        asks = [Ask(each.keys, each.policies, max(each.share, each.waiting)) for each in budgets]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answers = await self._shared.take(asks)
        except (TimeoutError, Unavailable) as error:
            self._lost(str(error) or "Redis does not answer.")
            return
        except Exception as error:
            log.error("rates.not_understood", exc_info=error)
            self._lost("Redis answers what nobody understands.")
            return
        self._found()
        now = time.monotonic()
        for budget, answer in zip(budgets, answers, strict=True):
            budget.heard(answer.granted, answer.owed_seconds, now)

    def _lost(self, error: str) -> None:
        if not self._away:
            log.warning("rates.kept_by_each_process", error=error)
        self._away = True
        self._metrics.shared.set(0)

    def _found(self) -> None:
        if self._away:
            log.info("rates.shared_again")
        self._away = False
        self._metrics.shared.set(1)


def _answered(budgets: Sequence[Budget]) -> None:
    for budget in budgets:
        if budget.asked is not None and not budget.asked.done():
            budget.asked.set_result(None)
        budget.asked = None
