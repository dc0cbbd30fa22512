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
    return next((share.cap for share in shares.known(now) if share.key == key), FIRST_SHARE)


def round_of(shares: Shares, key: str, now: float, *, done: bool = True, slow: bool = False) -> None:
    """As many jobs as the key may have start together and end together, half a second later."""
    jobs = [f"{key}-{now}-{n}" for n in range(cap(shares, key, now))]
    for id in jobs:
        shares.started(key, id, 1000, now)
    for id in jobs:
        shares.ended(key, id, now + 0.5, done=done, slow=slow)


def test_a_key_that_keeps_up_gets_twice_as_much_each_round_up_to_its_limit() -> None:
    shares = Shares(5000)
    seen = []
    for n in range(9):
        seen.append(cap(shares, "k", n))
        round_of(shares, "k", n)
    assert seen == [8, 16, 32, 64, 128, 256, 512, 1000, 1000]


def test_one_overload_halves_once_however_many_jobs_it_took() -> None:
    shares = Shares(500)
    round_of(shares, "k", 0.0)
    round_of(shares, "k", 1.0, done=False, slow=True)
    assert cap(shares, "k", 1.6) == 8
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
    assert 10 <= cap(shares, "k", 5.0) <= 11


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
    before = sum(share.cap for share in shares.known(SLOW_SECONDS - 0.1) if share.key.startswith("hangs"))
    assert before == 30 * FIRST_SHARE
    for turn in range(5):
        known = shares.known(SLOW_SECONDS + 0.1 + turn)
        assert sum(share.cap for share in known if share.key.startswith("hangs")) == 100


def test_what_is_left_for_the_suspect_goes_round() -> None:
    shares = Shares(4)  # one place for all that are suspect
    for key in ("a", "b", "c"):
        for n in range(4):
            shares.started(key, f"{key}{n}", 64, 0.0)
            shares.ended(key, f"{key}{n}", 1.0 + n, done=False, slow=True)
    got = [share.key for _ in range(3) for share in shares.known(5.0) if share.cap > 0]
    assert len(got) == 3
    assert set(got) == {"a", "b", "c"}


def test_quiet_keys_are_forgotten_slow_ones_later() -> None:
    shares = Shares(500)
    round_of(shares, "well", 0.0)
    round_of(shares, "slow", 0.0, done=False, slow=True)
    assert {share.key for share in shares.known(0.6)} == {"well", "slow"}
    assert {share.key for share in shares.known(0.6 + FORGET_SECONDS)} == {"slow"}
    assert shares.known(0.6 + FORGET_SLOW_SECONDS) == []


@pytest.mark.parametrize(("free", "first"), [(500, 8), (250, 8), (125, 4), (60, 1), (1, 1)])
def test_an_unknown_key_gets_less_the_fuller_the_runner_is(free: int, first: int) -> None:
    assert Shares(500).first_share(free) == first


def test_a_limit_below_what_is_in_flight_takes_nothing_back() -> None:
    shares = Shares(500)
    for n in range(5):
        shares.started("k", str(n), 2, 0.0)
    assert shares.known(0.1) == [Share("k", cap=5, busy=5)]
