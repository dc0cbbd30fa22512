"""Budgets counted by one process, beside an exact model, and what they can never let through."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from ogel.kernel.principal import ANONYMOUS, Principal
from ogel.runtime.rates.budget import Budget
from ogel.runtime.rates.budgets import MOST_ASKS, Budgets
from ogel.runtime.rates.gcra import left_of, spent, wait_seconds
from ogel.runtime.rates.limiter import Limiter
from ogel.runtime.rates.metrics import RateMetrics
from ogel.runtime.rates.policy import Policy, Quota, policies_of, quotas_of
from ogel.runtime.rates.shared import Answer, Ask
from tests.support.gcra import Model

quotas = st.builds(Quota, st.integers(1, 50), st.integers(1, 3600))
some_policies = st.lists(quotas, min_size=1, max_size=3, unique_by=lambda each: each.seconds).map(
    lambda several: [Policy(str(each), each) for each in several]
)
# Of time between requests, in 1/64 s: exact as floats too.
gaps = st.lists(st.integers(0, 64 * 600), min_size=1, max_size=60)


def moments(steps: list[int]) -> list[Fraction]:
    now, all_of_them = Fraction(1000), []
    for step in steps:
        now += Fraction(step, 64)
        all_of_them.append(now)
    return all_of_them


@given(some_policies, gaps)
def test_a_process_alone_agrees_with_the_model(policies: list[Policy], steps: list[int]) -> None:
    """Off the edge, that is: a float may take a request for due that is so a millionth of an interval later."""
    model, budget = Model(policies), Budget(policies, ["x"] * len(policies))
    for now in moments(steps):
        edge = any(
            abs(
                arrival
                - (policy.window_seconds - Fraction(policy.quota.seconds, policy.quota.requests))
                - now
            )
            < Fraction(1, 10_000)
            for arrival, policy in zip(model.arrivals, policies, strict=True)
        )
        passed = budget.spend(float(now))
        if edge:
            if passed:  # the model goes along
                model.arrivals = [max(a, now) + Fraction(p.quota.seconds, p.quota.requests)
                                  for a, p in zip(model.arrivals, policies, strict=True)]  # fmt: skip
        else:
            assert passed == bool(model.take(now))


@given(quotas, gaps)
def test_no_window_lets_more_through_than_twice_the_quota(quota: Quota, steps: list[int]) -> None:
    """The quota at once, and what comes back meanwhile: over any time t, quota + t / interval."""
    policy = Policy("x", quota)
    budget = Budget([policy], ["x"])
    passed = [float(now) for now in moments(steps) if budget.spend(float(now))]
    for i, first in enumerate(passed):
        for count, last in enumerate(passed[i:], 1):
            assert count <= quota.requests + (last - first) / policy.interval_seconds + 1e-3


@given(quotas, st.floats(0, 1e6), st.floats(0, 4000))
def test_after_the_wait_there_is_one_more(quota: Quota, now: float, owed: float) -> None:
    policy = Policy("x", quota)
    whole_at = now + min(owed, quota.seconds)
    pace = policy.window_seconds, policy.interval_seconds
    left, wait = left_of(whole_at, now, *pace), wait_seconds(whole_at, now, *pace)
    assert 0 <= wait <= policy.interval_seconds + 1e-3
    assert 0 <= left <= quota.requests
    if left < quota.requests:
        assert left_of(whole_at, now + wait + 1e-6, *pace) > left
    for _ in range(left):
        whole_at = spent(whole_at, now, policy.interval_seconds)
    assert left_of(whole_at, now, *pace) == 0


def test_a_refused_request_says_when_the_next_may_come() -> None:
    budget = Budget(policies_of("read", (Quota(2, 10), Quota(3, 60))), ["a", "b"])
    assert [budget.spend(100.0) for _ in range(3)] == [True, True, False]
    verdict = budget.refused(100.0)
    assert dict(verdict.fields) == {
        b"ratelimit-policy": b'"read-10s";q=2;w=10, "read-1m";q=3;w=60',
        b"ratelimit": b'"read-10s";r=0;t=5, "read-1m";r=1;t=20',
    }
    assert (verdict.refused_by, verdict.retry_after_seconds) == (("read-10s",), 5)
    assert budget.spend(105.0)
    assert budget.refused(110.0).refused_by == ("read-1m",)


def test_many_callers_take_a_bounded_memory() -> None:
    async def story() -> None:
        budgets = Budgets(None, RateMetrics(CollectorRegistry()))
        policies = [Policy("x", Quota(1, 10))]
        for n in range(30_000):
            budget = budgets.add(("x", str(n)), Budget(policies, [f"x:{n}"]))
            assert budgets.take(budget, 1.0)
            budgets.find(("x", "0"))
        assert len(budgets._known) == 10_000
        busy, gone = budgets.find(("x", "0")), budgets.find(("x", "1"))
        assert busy is not None and not budgets.take(busy, 2.0), "who keeps asking is not forgotten"
        assert gone is None

    asyncio.run(story())


def test_a_site_is_counted_as_one_without_redis_too() -> None:
    async def story() -> None:
        metrics = RateMetrics(CollectorRegistry())
        limiter = Limiter({"read": (Quota(5, 3600),)}, Budgets(None, metrics), metrics)

        async def passes(client: str) -> bool:
            return not (await limiter.admit(ANONYMOUS, client, "read")).refused_by

        rotating = [f"2001:db8:0:{n:x}::{k}" for n in range(90) for k in range(8)]
        assert sum([await passes(client) for client in rotating]) == 16 * 5
        assert await passes("2001:db8:1::1"), "another site"

    asyncio.run(story())


def test_an_answer_that_nobody_understands_keeps_nobody_waiting() -> None:
    class Confused:
        async def take(self, asks: Sequence[Ask]) -> Sequence[Answer]:
            raise TypeError("no answer looks like this")

    async def story() -> None:
        metrics = RateMetrics(CollectorRegistry())
        limiter = Limiter({"read": (Quota(1, 3600),)}, Budgets(Confused(), metrics), metrics)
        for refused in ((), ("read",)):
            async with asyncio.timeout(5):
                keys = [Principal("key", f"key_{n}") for n in range(2 * MOST_ASKS + 50)]
                verdicts = await asyncio.gather(*(limiter.admit(key, None, "read") for key in keys))
            assert {verdict.refused_by for verdict in verdicts} == {refused}
        assert metrics.shared._value.get() == 0

    asyncio.run(story())


@pytest.mark.parametrize(
    ("text", "quotas"),
    [
        ("1000/10s", (Quota(1000, 10),)),
        ("100/s, 5000/1h", (Quota(100, 1), Quota(5000, 3600))),
        ("10/1d", (Quota(10, 86_400),)),
        (" OFF ", ()),
    ],
)
def test_quotas_are_read_as_they_are_written(text: str, quotas: tuple[Quota, ...]) -> None:
    assert quotas_of(text) == quotas
    assert quotas_of(",".join(map(str, quotas)) or "off") == quotas


@pytest.mark.parametrize(
    "text", ["", "10", "0/1s", "10/0s", "10/2d", "10/1w", "-1/1s", "1/1s,2/1s", "1e3/1s", "1/60s,2/1m"]
)
def test_other_words_are_no_quotas(text: str) -> None:
    with pytest.raises(ValueError, match="quota"):
        quotas_of(text)
