"""Globs: what each matches, and that the index agrees with matching one by one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.runtime.realtime.globs import Glob, GlobIndex

WORDS = st.text("ab.", max_size=8)
GLOBS = st.text("ab.*", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("glob", "type", "expected"),
    [
        ("*", "order.paid", True),
        ("order.*", "order.paid", True),
        ("order.*", "order.item.added", True),
        ("order.*", "order", False),
        ("order.*", "reorder.paid", False),
        ("*.paid", "order.paid", True),
        ("*.paid", "order.paid.late", False),
        ("order.*.added", "order.item.added", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*b*b*", "abcb", True),
        ("*b*b*", "abc", False),
        ("order.**", "order.paid", True),
    ],
)
def test_a_star_stands_for_any_characters(glob: str, type: str, expected: bool) -> None:
    assert Glob(glob).matches(type) is expected


def test_no_glob_is_slow_to_match() -> None:
    began = time.process_time()
    assert not Glob("*a" * 60 + "*b").matches("a" * 127 + "c")
    assert time.process_time() - began < 0.1


def by_definition(glob: str, type: str) -> bool:
    """One character at a time, straight from what `*` means."""
    states = {0}
    for character in (*type, None):
        for position in range(len(glob)):
            if position in states and glob[position] == "*":
                states.add(position + 1)
        if character is None:
            return len(glob) in states
        states = {
            position if glob[position] == "*" else position + 1
            for position in states
            if position < len(glob) and glob[position] in ("*", character)
        }
    raise AssertionError("unreachable")


@given(st.lists(GLOBS, max_size=8, unique=True), WORDS)
def test_the_index_finds_exactly_whose_glob_matches(globs: list[str], type: str) -> None:
    index: GlobIndex[str] = GlobIndex()
    for glob in globs:
        index.add(glob, glob)

    assert index.matching(type) == {glob for glob in globs if by_definition(glob, type)}


@given(st.lists(st.tuples(GLOBS, st.integers(0, 3)), max_size=8, unique=True), WORDS)
def test_what_was_removed_is_not_found_and_leaves_nothing_behind(
    entries: list[tuple[str, int]], type: str
) -> None:
    index: GlobIndex[int] = GlobIndex()
    for glob, item in entries:
        index.add(glob, item)
    for glob, item in entries:
        index.remove(glob, item)
        index.remove(glob, item)

    assert index.matching(type) == set()
    assert not any(vars(index).values())


def test_one_item_of_several_under_a_glob_can_go() -> None:
    index: GlobIndex[int] = GlobIndex()
    for item in (1, 2):
        index.add("order.*", item)
        index.add("order.paid", item)

    index.remove("order.*", 1)
    index.remove("order.paid", 1)

    assert index.matching("order.paid") == {2}
