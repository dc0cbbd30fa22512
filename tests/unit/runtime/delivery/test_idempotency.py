"""The key and the fingerprint of a request that may be made twice."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ogel.kernel.errors import Invalid
from ogel.runtime.delivery.idempotency import asked_by


class Wish(msgspec.Struct, frozen=True):
    to: str
    data: dict[str, Any] = {}
    idempotency_key: str | None = None


def test_the_key_stands_in_the_body_or_in_the_header() -> None:
    assert asked_by(Wish("a", idempotency_key="k"), None).key == "k"
    assert asked_by(Wish("a"), "k").key == "k"
    assert asked_by(Wish("a", idempotency_key="k"), "k").key == "k"
    assert asked_by(Wish("a"), None).key is None
    with pytest.raises(Invalid) as refused:
        asked_by(Wish("a", idempotency_key="k"), "other")
    assert refused.value.errors[0].path == "body.idempotency_key"


def test_the_fingerprint_is_of_what_is_asked_for() -> None:
    first = asked_by(Wish("a", {"x": 1, "y": 2}, "k"), None).fingerprint
    assert asked_by(Wish("a", {"y": 2, "x": 1}), "k").fingerprint == first
    assert asked_by(Wish("a", {"x": 1, "y": 3}, "k"), None).fingerprint != first
    assert asked_by(Wish("b", {"x": 1, "y": 2}, "k"), None).fingerprint != first
