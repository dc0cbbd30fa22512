"""How much of something may come: so much a second, and so much at once (a token bucket)."""

from __future__ import annotations

import time


class Rate:
    def __init__(self, per_second: float, at_once: float) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._left = at_once
        self._at = time.monotonic()

    def allows(self, amount: float) -> bool:
        """Takes it, if there is so much left."""
        now = time.monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True
