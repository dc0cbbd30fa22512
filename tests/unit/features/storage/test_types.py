"""What is one media type, and not a list of which a browser takes the last."""

from __future__ import annotations

import pytest

from ogel.features.storage.types import is_one_type


@pytest.mark.parametrize(
    "text",
    [
        "image/png",
        "text/plain;charset=UTF-8",
        'video/mp4; codecs="avc1.42E01E, mp4a.40.2"',
        r'text/plain; name="a\", b"',
        "application/vnd.api+json ; v=1;",
    ],
)
def test_one_type(text: str) -> None:
    assert is_one_type(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "png",
        "image/png, text/html",
        "text/plain; a, text/html",
        'text/plain; a="b\\", text/html',
        "text/plain\n",
        "text /plain",
        "image/png;\x00",
        "text/plain; " + '"' * 100_001,
    ],
)
def test_none_or_several(text: str) -> None:
    assert not is_one_type(text)
