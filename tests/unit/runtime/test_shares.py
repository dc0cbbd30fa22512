"""How a runner's places are shared out among keys."""

from __future__ import annotations

import pytest

from ogel.runtime.jobs.shares import (
    FIRST_SHARE,
    FORGET_SECONDS,
    FORGET_SLOW_SECONDS,
    SLOW_SECONDS,
    Share,
    Shares,
)


def cap(shares: Shares, key: str, now: float = 0.0) -> int:
    return next((share.cap for share in shares.divided(now).shares if share.key == key), FIRST_SHARE)


def round_of(shares: Shares, key: str, now: float, *, done: bool = True, slow: bool = False) -> None:
    """As many jobs as the key may have start together and end together, half a second later."""
    jobs = [f"{key}-{now}-{n}" for n in range(cap(shares, key, now))]
    for id in jobs:
        shares.started(key, id, 1000, now)
    for id in jobs:
        shares.ended(key, id, now + 0.5, done=done, slow=slow)


def test_a_key_that_keeps_up_gets_thrice_as_much_each_round_up_to_its_limit() -> None:
    shares = Shares(5000)
    seen = []
    for n in range(7):
        seen.append(cap(shares, "k", n))
        round_of(shares, "k", n)
    assert seen == [10, 30, 90, 270, 810, 1000, 1000]


def test_one_overload_halves_once_however_many_jobs_it_took() -> None:
    shares = Shares(500)
    round_of(shares, "k", 0.0)
    round_of(shares, "k", 1.0, done=False, slow=True)
    assert cap(shares, "k", 1.6) == 15
    round_of(shares, "k", 2.0, done=False, slow=True)
    round_of(shares, "k", 3.0, done=False, slow=True)
    round_of(shares, "k", 4.0, done=False, slow=True)
    round_of(shares, "k", 5.0, done=False, slow=True)
    assert cap(shares, "k", 5.6) == 1  # never nothing: it could not show that it is well again


def test_after_an_overload_it_grows_by_one_a_round() -> None:
    shares = Shares(500)
    round_of(shares, "k", 0.0)
    round_of(shares, "k", 1.0, done=False, slow=True)
    for n in range(3):
        round_of(shares, "k", 2.0 + n)
    assert 17 <= cap(shares, "k", 5.0) <= 18


def test_a_failure_that_is_not_slow_changes_nothing() -> None:
    shares = Shares(500)
    round_of(shares, "k", 0.0, done=False)
    assert cap(shares, "k", 0.6) == FIRST_SHARE


def test_keys_that_hang_have_a_quarter_of_the_places_together() -> None:
    shares = Shares(400)
    for key in range(30):
        for n in range(3):
            shares.started(f"hangs{key}", f"{key}-{n}", 64, 0.0)
    shares.started("well", "w", 64, 0.0)
    shares.ended("well", "w", 0.1, done=True, slow=False)
    before = sum(
        share.cap for share in shares.divided(SLOW_SECONDS - 0.1).shares if share.key.startswith("hangs")
    )
    assert before == 200  # nothing is known against them yet
    for turn in range(5):
        known = shares.divided(SLOW_SECONDS + 0.1 + turn).shares
        assert sum(share.cap for share in known if share.key.startswith("hangs")) == 100


def test_what_is_left_for_the_suspect_goes_round() -> None:
    shares = Shares(4)  # one place for all that are suspect
    for key in ("a", "b", "c"):
        for n in range(4):
            shares.started(key, f"{key}{n}", 64, 0.0)
            shares.ended(key, f"{key}{n}", 1.0 + n, done=False, slow=True)
    got = [share.key for _ in range(3) for share in shares.divided(5.0).shares if share.cap > 0]
    assert len(got) == 3
    assert set(got) == {"a", "b", "c"}


@pytest.mark.parametrize("keys", [4, 5])
def test_each_suspect_has_its_turn_whatever_their_number(keys: int) -> None:
    shares = Shares(4)  # one place for all that are suspect
    for key in range(keys):
        for n in range(4):
            shares.started(str(key), f"{key}-{n}", 64, 0.0)
            shares.ended(str(key), f"{key}-{n}", 1.0 + n, done=False, slow=True)
    got = {share.key for _ in range(keys) for share in shares.divided(5.0).shares if share.cap > 0}
    assert got == {str(key) for key in range(keys)}


def test_quiet_keys_are_forgotten_slow_ones_later() -> None:
    shares = Shares(500)
    round_of(shares, "well", 0.0)
    round_of(shares, "slow", 0.0, done=False, slow=True)
    assert {share.key for share in shares.divided(0.6).shares} == {"well", "slow"}
    assert {share.key for share in shares.divided(0.6 + FORGET_SECONDS).shares} == {"slow"}
    assert shares.divided(0.6 + FORGET_SLOW_SECONDS).shares == []


@pytest.mark.parametrize(
    ("in_flight", "first", "together"), [(0, 10, 250), (200, 10, 50), (230, 5, 20), (240, 2, 10), (300, 1, 0)]
)
def test_new_keys_have_half_of_the_places_together(in_flight: int, first: int, together: int) -> None:
    shares = Shares(500)
    for n in range(in_flight):
        shares.started(f"new{n // FIRST_SHARE}", str(n), 64, 0.0)
    assert shares.divided(0.1).new_keys == (first, together)


def test_new_keys_with_something_in_flight_come_before_those_without() -> None:
    shares = Shares(500)
    for key in range(30):
        shares.started(f"new{key}", f"{key}", 64, 0.0)
    division = shares.divided(0.1)
    assert sum(share.cap for share in division.shares) == 250
    assert division.new_keys == (1, 0)


def test_one_success_makes_a_key_known_and_hanging_unknown_again() -> None:
    shares = Shares(500)
    for n in range(100):
        shares.started("k", str(n), 1000, 0.0)
    assert shares.divided(0.1).new_keys == (FIRST_SHARE, 150)
    shares.ended("k", "0", 0.2, done=True, slow=False)
    assert shares.divided(0.2).new_keys == (FIRST_SHARE, 250)
    assert shares.divided(SLOW_SECONDS + 0.1).new_keys == (FIRST_SHARE, 151)


def test_a_limit_below_what_is_in_flight_takes_nothing_back() -> None:
    shares = Shares(500)
    for n in range(5):
        shares.started("k", str(n), 2, 0.0)
    assert shares.divided(0.1).shares == [Share("k", cap=5, busy=5)]
