"""When what failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
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
        """Full jitter under a ceiling that begins with `first_seconds`, and doubles until it is `cap_seconds`."""
        ceilings = (min(cap_seconds, first_seconds * 2.0**place) for place in range(attempts - 1))
        return cls([ceiling / 2 for ceiling in ceilings])

    @property
    def attempts(self) -> int:
        """As many as the delays are between."""
        return len(self.delays) + 1

    def delay(self, attempt: int) -> float:
        """Seconds until the attempt after number `attempt`, the first of which is 1."""
        if not self.delays:
            return 0.0
        delay = self.delays[min(attempt, len(self.delays)) - 1]
        return delay * random.uniform(1 - self.spread, 1 + self.spread)  # noqa: S311 - spreads load, guards nothing

    def delay_of(self, attempt: int, age_seconds: float, asked_seconds: float = 0.0) -> float:
        """
        The same for what was first tried `age_seconds` ago. Its last attempt is no sooner after the first than all
        delays together, whatever chance made of those before. What the other side asked for only ever makes it later.
        """
        delay = self.delay(attempt)
        if attempt == len(self.delays):
            delay = max(delay, sum(self.delays) - age_seconds)
        return max(delay, asked_seconds)
