"""Retry policies: when a failed attempt is repeated."""

from __future__ import annotations

import random
from collections.abc import Sequence

from msgspec import Struct


class RetryPolicy(Struct, frozen=True):
    """
    delays  seconds before the second attempt, the third, and so on, on average. Whoever has more attempts than that
            waits for the last of them again.
    spread  by which part of itself a delay may be shorter or longer, so that what failed together does not come back
            together. With 1 (full jitter) a wait is anything from nothing to twice the delay.
    """

    delays: Sequence[float]
    spread: float = 1.0

    @classmethod
    def doubling(
        cls, first_seconds: float = 2.0, cap_seconds: float = 3600.0, attempts: int = 33
    ) -> RetryPolicy:
        """Full jitter below a ceiling that starts at `first_seconds` and doubles up to `cap_seconds`."""
        ceilings = (min(cap_seconds, first_seconds * 2.0**place) for place in range(attempts - 1))
        return cls([ceiling / 2 for ceiling in ceilings])

    @property
    def attempts(self) -> int:
        """The number of attempts that the delays are between."""
        return len(self.delays) + 1

    def delay(self, attempt: int) -> float:
        """Returns the seconds between attempt number `attempt`, counted from 1, and the next."""
        if not self.delays:
            return 0.0
        delay = self.delays[min(attempt, len(self.delays)) - 1]
        return delay * random.uniform(1 - self.spread, 1 + self.spread)  # noqa: S311 - spreads load, guards nothing

    def delay_of(self, attempt: int, age_seconds: float, asked_seconds: float = 0.0) -> float:
        """
        As `delay`, for what was first tried `age_seconds` ago. Whatever the jitter of earlier delays, the last attempt
        comes no sooner after the first than the sum of all delays. A delay that the other side asked for can only make
        it later.
        """
        delay = self.delay(attempt)
        if attempt == len(self.delays):
            delay = max(delay, sum(self.delays) - age_seconds)
        return max(delay, asked_seconds)
