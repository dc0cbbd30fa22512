"""What holds of any series: parts add up, amounts are kept, and time that is not told of is never counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.features.costs.metering import Stretch, by_day, in_order, metered, spacing_of, stretches
from ogel.runtime.railway import Point

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=4)
POINTS = st.lists(
    st.builds(
        Point,
        st.integers(0, 4 * 1440 - 1).map(lambda minute: START + timedelta(minutes=minute)),
        st.none() | st.floats(0, 100),
    ),
    max_size=60,
)


def pieces(points: list[Point], amounts: bool) -> list[Stretch]:
    ordered = in_order(points)
    return [*stretches(ordered, END, spacing_of([ordered], 3600), amounts)]


@given(POINTS, st.booleans(), st.integers(0, 4 * 1440))
def test_two_parts_of_a_time_come_to_the_whole(points: list[Point], amounts: bool, cut: int) -> None:
    found, between = pieces(points, amounts), START + timedelta(minutes=cut)
    parts = metered(found, START, between).plus(metered(found, between, END))
    assert parts == pytest.approx(metered(found, START, END))


@given(POINTS, st.booleans())
def test_days_come_to_the_whole(points: list[Point], amounts: bool) -> None:
    found = pieces(points, amounts)
    assert sum(by_day(found, START, 4)) == pytest.approx(metered(found, START, END).quantity)


@given(POINTS, st.booleans())
def test_no_time_counts_twice(points: list[Point], amounts: bool) -> None:
    found = sorted(pieces(points, amounts))
    assert all(before.end <= after.begin + 1e-6 for before, after in pairwise(found))
    assert all(piece.begin < piece.end for piece in found)


@given(POINTS)
def test_amounts_are_kept(points: list[Point]) -> None:
    """Whatever the gaps between them: what was filled in comes on top, and says so."""
    found = [piece for piece in pieces(points, amounts=True) if not piece.filled]
    told = sum(value for _, value in in_order(points) if value is not None)
    assert metered(found, START, END + timedelta(days=1)).quantity == pytest.approx(told)


@given(POINTS)
def test_a_level_is_never_more_than_the_highest_for_all_the_time(points: list[Point]) -> None:
    highest = max((point.value for point in points if point.value is not None), default=0.0)
    quantity = metered(pieces(points, amounts=False), START, END).quantity
    assert 0 <= quantity <= highest * 4 * 1440 * (1 + 1e-9)
