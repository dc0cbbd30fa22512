"""Cursors come back as they went out, and a made-up one is the client's mistake."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.kernel.errors import Malformed
from ogel.runtime.http.pagination import decode_cursor, encode_cursor, page


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_a_cursor_comes_back(position: str) -> None:
    cursor = encode_cursor(position)
    assert decode_cursor(cursor, str) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_cursor_can_hold_a_time_and_an_id() -> None:
    position = (datetime(2026, 1, 31, 8, 15, 30, 5, tzinfo=UTC), "evt_1")
    assert decode_cursor(encode_cursor(position), tuple[datetime, str]) == position


@given(st.text(max_size=80))
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode_cursor(cursor, tuple[datetime, str])
    assert caught.value.errors[0].path == "query.after"


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Malformed):
        decode_cursor(encode_cursor("evt_1"), tuple[datetime, str])


def test_a_page_knows_whether_another_follows() -> None:
    full = page(["a", "b", "c"], 2, lambda row: row)
    assert full.items == ["a", "b"]
    assert full.next is not None
    assert decode_cursor(full.next, str) == "b"
    last = page(["c"], 2, lambda row: row)
    assert (last.items, last.next) == (["c"], None)
    assert page([], 2, str).next is None
