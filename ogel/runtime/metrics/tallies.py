"""
Tallies: what a process counts for the service level objectives, by minute, until it is handed over. Counted on the
event loop, thousands of times a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from ogel.runtime.metrics.sketch import bucket_of

# While nobody takes them, older minutes become one.
MOST_MINUTES = 120


class Counted(Struct, frozen=True):
    """
    What one tally had in one minute.

    minute         since 1970.
    total          how much there was, of which `bad` failed.
    buckets        of a Sketch: how long it took, where that says something of us; with `counts`.
    """

    minute: int
    name: str
    total: int
    bad: int
    buckets: Sequence[int]
    counts: Sequence[int]


class Tally:
    """Of one name. Whoever counts keeps it, as looking it up costs more than counting."""

    __slots__ = ("bad", "buckets", "total")

    def __init__(self) -> None:
        self._begin()

    def timed(self, seconds: float, bad: bool = False) -> None:
        """One more, which took so long."""
        self.total += 1
        if bad:
            self.bad += 1
        bucket = bucket_of(seconds)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def counted(self, good: int, bad: int) -> None:
        """So many more, of which nothing is said of how long they took."""
        self.total += good + bad
        self.bad += bad

    def add(self, other: Tally) -> None:
        self.total += other.total
        self.bad += other.bad
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def cut(self) -> Tally | None:
        """Returns what was counted so far, and begins anew; None: nothing was."""
        if not self.total:
            return None
        cut = Tally()
        cut.total, cut.bad, cut.buckets = self.total, self.bad, self.buckets
        self._begin()
        return cut

    def _begin(self) -> None:
        self.total, self.bad = 0, 0
        self.buckets: dict[int, int] = {}


class Tallies:
    """All tallies of a process. `turn` is called when a minute begins, so that counting itself asks no clock."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._tallies: dict[str, Tally] = {}
        self._followed: list[tuple[Tally, Callable[[], int]]] = []
        self._seen: list[int] = []
        self._minute = self._now()
        self._ended: dict[int, dict[str, Tally]] = {}

    def of(self, name: str) -> Tally:
        if name not in self._tallies:
            self._tallies[name] = Tally()
        return self._tallies[name]

    def follow(self, name: str, read: Callable[[], int]) -> None:
        """Counts how much a number has grown that only grows, and that somebody else adds to."""
        self._followed.append((self.of(name), read))
        self._seen.append(read())

    def turn(self) -> float:
        """Puts what was counted since the last turn to the minute of that. Returns the seconds until the next one."""
        self._look()
        for name, tally in self._tallies.items():
            if (cut := tally.cut()) is not None:
                self._ended.setdefault(self._minute, {}).setdefault(name, Tally()).add(cut)
        if len(self._ended) > MOST_MINUTES:
            self._join_oldest()
        self._minute = self._now()
        return 60 - self._clock() % 60

    def take(self) -> list[Counted]:
        """Returns what was counted since it was last taken: whoever takes it keeps it until it is written down."""
        self.turn()
        ended, self._ended = self._ended, {}
        return [
            Counted(minute, name, tally.total, tally.bad, *_ascending(tally.buckets))
            for minute, tallies in ended.items()
            for name, tally in tallies.items()
        ]

    def _look(self) -> None:
        for place, (tally, read) in enumerate(self._followed):
            now = read()
            tally.counted(now - self._seen[place], 0)
            self._seen[place] = now

    def _join_oldest(self) -> None:
        oldest, next_to_it = sorted(self._ended)[:2]
        kept = self._ended[next_to_it]
        for name, tally in self._ended.pop(oldest).items():
            kept.setdefault(name, Tally()).add(tally)

    def _now(self) -> int:
        return math.floor(self._clock() / 60)


def _ascending(buckets: dict[int, int]) -> tuple[Sequence[int], Sequence[int]]:
    ascending = sorted(buckets)
    return ascending, [buckets[bucket] for bucket in ascending]
