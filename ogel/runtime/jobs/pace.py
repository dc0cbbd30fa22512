"""How close together statements may be that cost about as much for one row as for a hundred."""

from __future__ import annotations

import math


class BatchPace:
    """
    One that follows a pause may begin at once. The next begins no sooner after it than twice the time that it takes, so
    that what comes meanwhile is gathered: the slower they are, the more. Times are the event loop's.
    """

    def __init__(self) -> None:
        self._began_at = -math.inf
        self._took = 0.0

    def began(self, now: float) -> None:
        self._began_at = now

    def took(self, seconds: float) -> None:
        self._took = seconds

    def pause(self, now: float, most: float) -> float:
        """Seconds until the next may begin, however long the last took no more than `most` after it began."""
        return max(0.0, self._began_at + min(2 * self._took, most) - now)

    def whole_pause(self, now: float, most: float) -> float:
        """The same, had the last taken for ever."""
        return max(0.0, self._began_at + most - now)
