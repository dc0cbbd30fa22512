"""How much of a purge to delete at once, and how long to leave the database to others after it."""

from __future__ import annotations

import math

# A bite grows and shrinks to take about so long: no lock is held, and nobody's commit waits, for longer. No further
# than to the least: on a busy machine the commit itself takes most of the time, and smaller bites would get nowhere.
BITE_SECONDS = 0.02
FIRST_BITE, LEAST_BITE, LARGEST_BITE = 100, 100, 1_000
# Others have the database for so many times as long as a bite took, and for longer while it is busy, which shows in
# bites that take longer for a row than they can. Not for ever longer: what must go has to go faster than it comes.
PAUSE_TIMES, MOST_TIMES = 2.0, 6.0
LEAST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 2.0
# A bite that takes so long is broken off, and a smaller one is tried: somebody waits for what it has locked.
LONGEST_BITE_SECONDS = 5.0
# What a row takes when nothing else is going on is learned anew: tables change.
FORGETS = 1.01


class Pace:
    """Of one purge in one worker."""

    def __init__(self) -> None:
        self.bite = FIRST_BITE
        self._best = math.inf

    def pause_after(self, took: float) -> float:
        """After a whole bite that took so many seconds; `bite` is the size of the next."""
        for_a_row = took / self.bite
        self._best = min(self._best * FORGETS, for_a_row)
        times = min(MOST_TIMES, PAUSE_TIMES * for_a_row / self._best)
        if took > 2 * BITE_SECONDS:
            self.bite = max(min(LEAST_BITE, self.bite), self.bite // 2)
        elif took < BITE_SECONDS / 2:
            self.bite = min(LARGEST_BITE, self.bite * 2)
        return min(LONGEST_PAUSE_SECONDS, max(LEAST_PAUSE_SECONDS, took * times))

    def pause_after_too_long(self, took: float) -> float:
        """After a bite that was broken off; `bite` is half of it."""
        self.bite = max(1, self.bite // 2)
        return min(LONGEST_PAUSE_SECONDS, took * PAUSE_TIMES)
