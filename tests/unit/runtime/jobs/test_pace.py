"""Statements that cost as much for one row as for many: at once after a pause, with company otherwise."""

from __future__ import annotations

from ogel.runtime.jobs.pace import BatchPace


def paced(took: float) -> BatchPace:
    pace = BatchPace()
    pace.began(10.0)
    pace.took(took)
    return pace


def test_the_first_begins_at_once() -> None:
    assert BatchPace().pause(0.0, most=1.0) == 0.0


def test_the_next_waits_as_long_as_the_last_took() -> None:
    pace = paced(took=0.003)
    assert round(pace.pause(10.003, most=1.0), 6) == 0.003
    assert pace.pause(10.006, most=1.0) == 0.0


def test_one_after_a_pause_waits_for_nobody() -> None:
    assert paced(took=0.003).pause(10.020, most=1.0) == 0.0


def test_however_slow_they_are_there_is_an_end_to_waiting() -> None:
    pace = paced(took=60.0)
    assert round(pace.pause(10.004, most=0.010), 6) == 0.006
    assert pace.pause(10.010, most=0.010) == 0.0
