"""When a delivery is tried again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime


class RetrySchedule:
    """
    Full jitter: the wait after attempt n is anything up to twice the nth delay, so that deliveries that failed together
    do not come back together. The last attempt is no sooner after the delivery began than the delays add up to.
    """

    def __init__(self, delays: Sequence[float]) -> None:
        self._delays = delays
        self._whole = sum(delays)

    @property
    def attempts(self) -> int:
        return len(self._delays) + 1

    def delay(self, attempt: int, retry_after: float, began_at: datetime, now: datetime) -> float:
        """Seconds until the attempt after number `attempt`; what the receiver asked for only ever makes it later."""
        if not self._delays:
            return retry_after
        delay = self._delays[min(attempt, len(self._delays)) - 1] * random.uniform(0.0, 2.0)  # noqa: S311 - no secret
        if attempt == len(self._delays):
            delay = max(delay, self._whole - (now - began_at).total_seconds())
        return max(retry_after, delay)
