"""Tells whether a shared service is down, or just cannot answer one question."""

from __future__ import annotations

import math
import time


class Witnesses:
    """When a service we depend on (the name servers, the proxy) last did its work, and for whom.

    A failure that could be anybody's is blamed on whom it was about only if the same service did its work for
    another. The last two are enough to know of one that is not the one in question.
    """

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}

    def heard(self, subject: str) -> None:
        self._heard.pop(subject, None)
        self._heard[subject] = time.monotonic()
        if len(self._heard) > 2:
            del self._heard[next(iter(self._heard))]

    def last_for_others(self, subject: str) -> float:
        """
        Returns when the service last answered about another subject, in time.monotonic(); minus infinity for never.
        """
        return max((at for other, at in self._heard.items() if other != subject), default=-math.inf)
