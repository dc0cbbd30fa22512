"""When what failed is tried again."""

from __future__ import annotations

from ogel.runtime.jobs.retry import RetryPolicy

DELAYS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)


def test_the_default_delays_of_webhooks_are_ten_attempts_over_at_least_72_hours() -> None:
    policy = RetryPolicy(DELAYS)
    assert policy.attempts == 10
    for _ in range(200):
        age = 0.0
        for attempt in range(1, 10):
            age += policy.delay_of(attempt, age)
        assert age >= 72 * 3600


def test_waits_are_spread_over_all_of_twice_the_delay() -> None:
    waits = [RetryPolicy((10.0, 10.0, 10.0)).delay_of(1, 0.0) for _ in range(2000)]
    assert 0 <= min(waits) < 1
    assert 19 < max(waits) <= 20
    assert 9 < sum(waits) / len(waits) < 11


def test_a_lesser_spread_keeps_closer_to_the_delay() -> None:
    waits = [RetryPolicy((10.0, 10.0), spread=0.25).delay(1) for _ in range(500)]
    assert 7.5 <= min(waits) < 8 and 12 < max(waits) <= 12.5


def test_what_is_asked_for_only_ever_delays() -> None:
    policy = RetryPolicy((10.0, 10.0))
    assert all(policy.delay_of(1, 0.0, 100.0) == 100.0 for _ in range(50))
    assert any(policy.delay_of(1, 0.0, 0.001) > 1.0 for _ in range(50))
    assert RetryPolicy(()).delay_of(1, 0.0, 3.0) == 3.0


def test_a_doubling_ceiling_ends_at_its_cap() -> None:
    policy = RetryPolicy.doubling(first_seconds=2.0, cap_seconds=3600.0, attempts=14)
    assert [2 * delay for delay in policy.delays] == [*(2.0**n for n in range(1, 12)), 3600.0, 3600.0]
    assert policy.delay(99) <= 3600.0
