"""Places for connections: how many there are, for whom, and how long a crowd waits for its turn."""

from __future__ import annotations

import time

import pytest

from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import Principal
from ogel.runtime.realtime.connections.places import MOST_WAIT_SECONDS, PlaceLimits, Places

KEY, ADA, BEN = Principal("key", "key_1"), Principal("user", "ada"), Principal("user", "ben")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Whose only element is the time."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_crowd_takes_its_turn(clock: list[float]) -> None:
    places = Places(PlaceLimits(per_second=10))
    waits = [places.take(KEY, None) for _ in range(25)]
    assert waits[:10] == [0.0] * 10, "a second's worth may come at once"
    assert waits[10:] == pytest.approx([n / 10 for n in range(1, 16)]), "the others one after the other"
    clock[0] += 1.5
    assert places.take(KEY, None) == pytest.approx(0.1)
    clock[0] += 60
    assert [places.take(KEY, None) for _ in range(11)] == pytest.approx([0.0] * 10 + [0.1])


def test_who_would_wait_too_long_is_told_when_to_come_again(clock: list[float]) -> None:
    places = Places(PlaceLimits(per_second=10))
    taken = 0
    with pytest.raises(Unavailable) as refused:
        for _ in range(100):
            places.take(KEY, None)
            taken += 1
    assert taken == 10 + 10 * MOST_WAIT_SECONDS
    assert refused.value.retry_after_seconds == 6
    clock[0] += 1
    assert places.take(KEY, None) <= MOST_WAIT_SECONDS


def test_places_are_counted_for_each_and_given_back(clock: list[float]) -> None:
    places = Places(PlaceLimits(connections=6, per_user=2, per_address=3))
    for principal, address in (
        (ADA, "192.0.2.1"),
        (ADA, "192.0.2.1"),
        (KEY, "192.0.2.1"),
        (BEN, "2001:db8::1"),
    ):
        places.take(principal, address)
    for principal, address in ((ADA, "192.0.2.9"), (KEY, "192.0.2.1")):
        with pytest.raises(Unavailable):
            places.take(principal, address)
    places.take(BEN, "2001:db8::2")
    places.take(KEY, "2001:db8::3")
    with pytest.raises(Unavailable, match="too many"):
        places.take(KEY, None)
    places.give_back(KEY, "2001:db8::3")
    with pytest.raises(Unavailable, match="your address"):
        places.take(KEY, "192.0.2.1")
    places.give_back(ADA, "192.0.2.1")
    places.take(ADA, "192.0.2.1")
