"""Spaces out statements that cost about as much for one row as for a hundred, so that rows are batched."""

from __future__ import annotations

import math


class BatchPace:
    """
    After a pause, a statement may begin at once. The next begins no sooner after it than twice the time that it took,
    so that slower statements gather more rows. Times are the event loop's.
    """

    def __init__(self) -> None:
        self._began_at = -math.inf
        self._took = 0.0

    def began(self, now: float) -> None:
        self._began_at = now

    def took(self, seconds: float) -> None:
        self._took = seconds

    def pause(self, now: float, most: float) -> float:
        """Returns the seconds until the next may begin, which is at most `most` seconds after the last began."""
        return max(0.0, self._began_at + min(2 * self._took, most) - now)

    def whole_pause(self, now: float, most: float) -> float:
        """Returns the longest pause that `pause` could return, as if the last statement had taken very long."""
        return max(0.0, self._began_at + most - now)
