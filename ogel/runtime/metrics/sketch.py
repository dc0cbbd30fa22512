"""
A sketch: how many durations there were of each length, in buckets of which each is 1 % longer than the one before. So
sketches of any number of processes and minutes add up, and a quantile of them is wrong by half a per cent at most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

_GROWTH = 1.01
_PER_E = 1 / math.log(_GROWTH)
# The first bucket: whatever is shorter than a microsecond, and of the last it is told that it took eleven days.
_SHORTEST_SECONDS = 1e-6
_LONGEST_SECONDS = 1e6


def bucket_of(seconds: float) -> int:
    """What takes longer has the same number or a higher one; all fit into a smallint."""
    if seconds <= _SHORTEST_SECONDS:
        return 0
    return int(math.log(min(seconds, _LONGEST_SECONDS) * 1e6) * _PER_E)


def seconds_of(bucket: int) -> float:
    """Returns what is nearest to everything in the bucket."""
    return float(_GROWTH**bucket * (2 * _GROWTH / (_GROWTH + 1)) * 1e-6)


class Sketch(Struct, frozen=True):
    """`buckets` that have any, ascending, and how many each."""

    buckets: Sequence[int] = ()
    counts: Sequence[int] = ()

    @classmethod
    def of(cls, counted: Mapping[int, int]) -> Sketch:
        buckets = sorted(counted)
        return cls(buckets, [counted[bucket] for bucket in buckets])

    @property
    def total(self) -> int:
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """The least duration in seconds that this share of all, at least, did not exceed; None: there was nothing."""
        rank, seen = math.ceil(share * self.total - 1e-9), 0
        for bucket, count in zip(self.buckets, self.counts, strict=True):
            seen += count
            if seen >= rank:
                return seconds_of(bucket)
        return None

    def longer_than(self, seconds: float) -> int:
        """How many took longer; what took as long within a per cent did not."""
        limit = bucket_of(seconds)
        return sum(n for bucket, n in zip(self.buckets, self.counts, strict=True) if bucket > limit)
