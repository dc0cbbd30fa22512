"""Refresh tokens as strings: what is written can be read, and nothing else can."""

from __future__ import annotations

import base64
import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ogel.features.accounts.sessions.refresh_token import KEY_BYTES, read, write

KEY = bytes(range(KEY_BYTES))
counters = some.integers(0, 2**63 - 1)


@given(some.uuids(), counters, some.binary(min_size=KEY_BYTES, max_size=KEY_BYTES))
def test_what_is_written_is_read(session: UUID, counter: int, key: bytes) -> None:
    text = write(session, counter, key)
    token = read(text)
    assert (token.session_id, token.counter) == (session, counter)
    assert token.is_genuine(key)
    assert not token.is_genuine(os.urandom(KEY_BYTES))
    assert text == write(session, counter, key)
    assert text.startswith("ogr_") and text.isascii() and len(text) <= 74


@given(some.uuids(), counters, some.integers(0, 10_000), some.integers(1, 255))
def test_a_token_that_was_changed_is_not_whole(session: UUID, counter: int, place: int, by: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(write(session, counter, KEY).removeprefix("ogr_") + "==="))
    raw[place % len(raw)] ^= by
    with pytest.raises(ValueError):  # noqa: PT011 - any complaint will do
        read("ogr_" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


@given(some.text(max_size=100) | some.from_regex(r"ogr_[A-Za-z0-9_-]{40,80}", fullmatch=True))
def test_nothing_else_is_one(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any complaint will do
        read(text)


def test_a_number_is_written_in_one_way_only() -> None:
    """Or one token would have several texts."""
    text = write(UUID(int=1), 0, KEY)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted = set()
    for letter in last:
        try:
            accepted.add(read(text[:-1] + letter).counter)
        except ValueError:
            continue
    assert accepted <= {0}
