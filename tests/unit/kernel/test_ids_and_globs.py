"""Ids sort by creation; globs mean the same in SQL as in words."""

from __future__ import annotations

import re
import subprocess
import sys
from uuid import RFC_4122

from ogel.kernel.event import ID_PATTERN, TYPE_PATTERN, glob_to_like
from ogel.kernel.ids import new_id, random_uuid


def test_ids_of_one_process_are_unique_and_sort_by_creation() -> None:
    ids = [new_id("evt") for _ in range(10_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"evt_[0-9a-hjkmnp-tv-z]{26}", id) for id in ids)


def test_a_child_does_not_draw_what_its_parent_draws() -> None:
    forking = """
import os
from ogel.kernel import ids
ids.new_id("evt")
reads, says = os.pipe()
if not os.fork():
    os.write(says, b"%d" % ids._random64())
    os._exit(0)
print(int(os.read(reads, 99)) != ids._random64())
"""
    said = subprocess.run([sys.executable, "-c", forking], capture_output=True, check=True, timeout=30)
    assert said.stdout == b"True\n"


def test_like_patterns_escape_what_like_would_take_for_wildcards() -> None:
    assert glob_to_like("storage.*") == "storage.%"
    assert glob_to_like("a_b.*.c") == r"a\_b.%.c"


def test_patterns_let_no_newline_and_no_dot_pass() -> None:
    assert re.search(ID_PATTERN, "order-1_A")
    for wrong in ("a.b", "a\n", "", "a" * 129, "a b", "ä"):
        assert not re.search(ID_PATTERN, wrong)
    assert re.search(TYPE_PATTERN, "order.line_item.created")
    for wrong in ("", ".a", "a.", "a..b", "a.b\n", "a b"):
        assert not re.search(TYPE_PATTERN, wrong)


def test_a_random_uuid_is_of_version_4() -> None:
    made = [random_uuid() for _ in range(1000)]
    assert {(each.version, each.variant) for each in made} == {(4, RFC_4122)}
    assert len({each.int & 0xFFFFFFFF for each in made}) == 1000
    for bit in range(128):
        ones = sum(each.int >> bit & 1 for each in made)
        assert 350 < ones < 650 or bit in (62, 63, 76, 77, 78, 79)
