"""Tallies: each thing is counted in its minute, once, and what nobody takes does not grow for ever."""

from __future__ import annotations

from collections import Counter

from ogel.runtime.metrics.sketch import bucket_of
from ogel.runtime.metrics.tallies import MOST_MINUTES, Counted, Tallies


class Clock:
    now = 1_000_000 * 60.0

    def __call__(self) -> float:
        return self.now


def test_what_is_taken_is_of_its_minute_and_taken_once() -> None:
    clock = Clock()
    tallies = Tallies(clock)
    read = tallies.of("http.read")
    read.timed(0.5)
    read.timed(0.5, bad=True)
    clock.now += 59
    read.counted(3, 1)
    assert tallies.turn() == 1.0
    clock.now += 1
    assert tallies.turn() == 60.0
    read.timed(0.001)
    assert tallies.take() == [
        Counted(1_000_000, "http.read", 6, 2, [bucket_of(0.5)], [2]),
        Counted(1_000_001, "http.read", 1, 0, [bucket_of(0.001)], [1]),
    ]
    assert tallies.take() == []
    read.timed(0.001)
    assert [each.total for each in tallies.take()] == [1]


def test_a_name_has_one_tally() -> None:
    tallies = Tallies()
    assert tallies.of("database") is tallies.of("database")


def test_a_number_that_grows_is_counted_by_how_much() -> None:
    clock, sent = Clock(), Counter({"bytes": 7})
    tallies = Tallies(clock)
    tallies.follow("egress", lambda: sent["bytes"])
    assert tallies.take() == []
    sent["bytes"] = 10
    clock.now += 60
    sent["bytes"] = 12
    assert [(each.name, each.total, each.buckets) for each in tallies.take()] == [("egress", 5, [])]


def test_what_nobody_takes_for_long_loses_its_minutes_and_nothing_else() -> None:
    clock = Clock()
    tallies = Tallies(clock)
    for _ in range(3 * MOST_MINUTES):
        tallies.of("database").timed(0.5, bad=True)
        clock.now += 60
        tallies.turn()
    taken = tallies.take()
    assert len(taken) == MOST_MINUTES
    assert sum(each.total for each in taken) == sum(each.bad for each in taken) == 3 * MOST_MINUTES
    assert sum(sum(each.counts) for each in taken) == 3 * MOST_MINUTES
    assert max(taken, key=lambda each: each.total).minute == min(each.minute for each in taken)
