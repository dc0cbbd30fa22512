"""The batch size of a purge, and the pause after each batch, adapted to the load of the database."""

from __future__ import annotations

import math

# The batch size is adapted so that a batch takes about this long, which bounds how long it holds locks. It never
# shrinks below the least: on a busy machine the commit takes most of the time, so smaller batches would not help.
BATCH_SECONDS = 0.02
FIRST_BATCH, LEAST_BATCH, LARGEST_BATCH = 100, 100, 1_000
# The pause is this many times the duration of the batch, and longer while the database is busy, that is, while a row
# takes longer than the best so far. It has an upper limit, because rows must be deleted faster than new ones come.
PAUSE_TIMES, MOST_TIMES = 2.0, 6.0
LEAST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 2.0
# A batch that takes this long is rolled back and a smaller one is tried, because others may wait for its locks.
LONGEST_BATCH_SECONDS = 5.0
# The best time per row grows by this factor with each batch, so that it is learned again: tables change.
FORGETS = 1.01


class PurgePace:
    """The pace of one purge in one worker."""

    def __init__(self) -> None:
        self.batch = FIRST_BATCH
        self._best = math.inf

    def pause_after(self, took: float) -> float:
        """Returns the pause after a whole batch that took `took` seconds, and sets the size of the next in `batch`."""
        for_a_row = took / self.batch
        self._best = min(self._best * FORGETS, for_a_row)
        times = min(MOST_TIMES, PAUSE_TIMES * for_a_row / self._best)
        if took > 2 * BATCH_SECONDS:
            self.batch = max(min(LEAST_BATCH, self.batch), self.batch // 2)
        elif took < BATCH_SECONDS / 2:
            self.batch = min(LARGEST_BATCH, self.batch * 2)
        return min(LONGEST_PAUSE_SECONDS, max(LEAST_PAUSE_SECONDS, took * times))

    def pause_after_too_long(self, took: float) -> float:
        """Returns the pause after a batch that was rolled back, and halves `batch`."""
        self.batch = max(1, self.batch // 2)
        return min(LONGEST_PAUSE_SECONDS, took * PAUSE_TIMES)
