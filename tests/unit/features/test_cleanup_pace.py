"""The pace of a purge: batches of about the same length, and pauses that grow when the database is busy."""

from __future__ import annotations

from ogel.features.cleanup.pace import (
    BATCH_SECONDS,
    FIRST_BATCH,
    LARGEST_BATCH,
    LEAST_BATCH,
    LONGEST_PAUSE_SECONDS,
    PAUSE_TIMES,
    PurgePace,
)


def test_batches_grow_while_they_are_quick_and_shrink_when_they_are_not() -> None:
    pace = PurgePace()
    sizes = [pace.batch]
    for _ in range(10):
        pace.pause_after(0.001)
        sizes.append(pace.batch)
    assert sizes[:2] == [FIRST_BATCH, 2 * FIRST_BATCH]
    assert sizes[-1] == LARGEST_BATCH
    pace.pause_after(BATCH_SECONDS)
    assert pace.batch == LARGEST_BATCH
    for _ in range(20):
        pace.pause_after(1.0)
    assert pace.batch == LEAST_BATCH


def test_others_have_longer_the_slower_a_row_is() -> None:
    pace = PurgePace()
    assert pace.pause_after(0.02) == PAUSE_TIMES * 0.02
    assert 0.9 * PAUSE_TIMES * 2 * 0.04 < pace.pause_after(0.04) <= PAUSE_TIMES * 2 * 0.04
    assert pace.pause_after(30.0) == LONGEST_PAUSE_SECONDS


def test_what_is_usual_is_learned_anew() -> None:
    """A table that got slower for good is not taken for a busy database for ever."""
    pace = PurgePace()
    pace.pause_after(0.001 * pace.batch)
    pauses = [pace.pause_after(0.0002 * pace.batch) / (0.0002 * pace.batch) for _ in range(300)]
    assert pauses[-1] == PAUSE_TIMES
