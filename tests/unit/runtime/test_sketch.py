"""Sketches: a quantile is wrong by half a per cent at most, however many sketches it comes from."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.runtime.metrics.sketch import Sketch, bucket_of, seconds_of

LENGTHS = st.floats(min_value=1.1e-6, max_value=9e5)


@given(LENGTHS)
def test_what_stands_for_a_bucket_is_near_to_all_in_it(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(seconds, rel=0.005)


@given(LENGTHS, LENGTHS)
def test_the_longer_has_no_lower_bucket(one: float, other: float) -> None:
    assert (one <= other) <= (bucket_of(one) <= bucket_of(other))


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(-1.0, 0), (0.0, 0), (1e-9, 0), (1e-6, 0), (1e6, 2776), (1e9, 2776), (math.inf, 2776)],
)
def test_what_is_too_short_or_too_long_has_the_first_or_last(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


@given(st.lists(LENGTHS, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_the_nearest_rank(lengths: list[float], share: float) -> None:
    sketch = Sketch.of(Counter(map(bucket_of, lengths)))
    rank = math.ceil(round(share * len(lengths), 9))
    assert sketch.quantile(share) == pytest.approx(sorted(lengths)[rank - 1], rel=0.005)


def test_what_takes_longer_is_told_to_the_bucket() -> None:
    lengths = [random.Random(7).lognormvariate(-3, 1) for _ in range(5000)]
    sketch = Sketch.of(Counter(map(bucket_of, lengths)))
    for limit in (0.01, 0.05, 0.2):
        assert sum(each > limit * 1.01 for each in lengths) <= sketch.longer_than(limit)
        assert sketch.longer_than(limit) <= sum(each > limit for each in lengths)


def test_nothing_has_no_quantile() -> None:
    assert Sketch().quantile(0.95) is None
    assert Sketch().longer_than(1.0) == 0
