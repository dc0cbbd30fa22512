"""How much a client may send, whenever what it sent is taken up."""

from __future__ import annotations

import time

import pytest

from ogel.runtime.http.allowance import LEAST_BYTES_OF_A_READ, Allowance, Rates

RATES = Rates(frames_per_second=10, frames_at_once=20, bytes_per_second=1000, bytes_at_once=10_000)


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_what_is_saved_up_may_come_at_once_and_no_more(clock: Clock) -> None:
    allowance = Allowance(RATES)
    for _ in range(20):
        allowance.frame()
    assert not allowance.is_exceeded
    allowance.frame()
    assert allowance.is_exceeded
    clock.now += 60
    allowance.read(10_000)
    assert not allowance.is_exceeded
    allowance.read(1)
    assert allowance.is_exceeded


def test_each_read_counts_as_a_packet(clock: Clock) -> None:
    allowance = Allowance(RATES)
    for _ in range(10_000 // LEAST_BYTES_OF_A_READ):
        allowance.read(1)
    assert not allowance.is_exceeded
    allowance.read(1)
    assert allowance.is_exceeded


def test_frames_of_one_read_may_be_taken_up_slowly(clock: Clock) -> None:
    """By an application that is slow: that was read at once is no fault of the client's."""
    allowance = Allowance(RATES)
    allowance.read(5_000)
    for _ in range(200):
        clock.now += 0.11
        allowance.frame()
        assert not allowance.is_exceeded


def test_it_is_spent_by_as_much_again(clock: Clock) -> None:
    allowance = Allowance(RATES)
    for _ in range(40):
        allowance.frame()
    assert allowance.is_exceeded and not allowance.is_spent
    allowance.frame()
    assert allowance.is_spent
