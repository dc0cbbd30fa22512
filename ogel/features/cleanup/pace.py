"""How much of a purge to delete at once, and how long to leave the database to others after it."""

from __future__ import annotations

import math

# A batch grows and shrinks to take about so long: no lock is held, and nobody's commit waits, for longer. No further
# than to the least: on a busy machine the commit itself takes most of the time, and smaller batches would get nowhere.
BATCH_SECONDS = 0.02
FIRST_BATCH, LEAST_BATCH, LARGEST_BATCH = 100, 100, 1_000
# Others have the database for so many times as long as a batch took, and for longer while it is busy, which shows in
# batches that take longer for a row than they can. Not for ever longer: what must go has to go faster than it comes.
PAUSE_TIMES, MOST_TIMES = 2.0, 6.0
LEAST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 2.0
# A batch that takes so long is broken off, and a smaller one is tried: somebody waits for what it has locked.
LONGEST_BATCH_SECONDS = 5.0
# What a row takes when nothing else is going on is learned anew: tables change.
FORGETS = 1.01


class PurgePace:
    """Of one purge in one worker."""

    def __init__(self) -> None:
        self.batch = FIRST_BATCH
        self._best = math.inf

    def pause_after(self, took: float) -> float:
        """After a whole batch that took so many seconds; `batch` is the size of the next."""
        for_a_row = took / self.batch
        self._best = min(self._best * FORGETS, for_a_row)
        times = min(MOST_TIMES, PAUSE_TIMES * for_a_row / self._best)
        if took > 2 * BATCH_SECONDS:
            self.batch = max(min(LEAST_BATCH, self.batch), self.batch // 2)
        elif took < BATCH_SECONDS / 2:
            self.batch = min(LARGEST_BATCH, self.batch * 2)
        return min(LONGEST_PAUSE_SECONDS, max(LEAST_PAUSE_SECONDS, took * times))

    def pause_after_too_long(self, took: float) -> float:
        """After a batch that was broken off; `batch` is half of it."""
        self.batch = max(1, self.batch // 2)
        return min(LONGEST_PAUSE_SECONDS, took * PAUSE_TIMES)
