"""Text that Postgres can keep."""

from __future__ import annotations

import pytest

from ogel.kernel.text import storable


@pytest.mark.parametrize(
    ("text", "kept"),
    [("as it is: é 🙂", "as it is: é 🙂"), ("a\x00b", "a\ufffdb"), ("half \ud83d", "half ?")],
)
def test_what_cannot_be_kept_is_replaced(text: str, kept: str) -> None:
    assert storable(text) == kept
