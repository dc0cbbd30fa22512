"""Budgets that processes share through Redis: what it decides, and what they do without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from fractions import Fraction
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from structlog.testing import capture_logs

from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.redis import rates
from ogel.adapters.redis.rates import PREFIX, RedisRates
from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import ANONYMOUS, SYSTEM, Principal
from ogel.runtime.rates import budgets as module
from ogel.runtime.rates.budget import Verdict
from ogel.runtime.rates.budgets import Budgets
from ogel.runtime.rates.limiter import Limiter
from ogel.runtime.rates.metrics import RateMetrics
from ogel.runtime.rates.policy import Policy, Quota
from ogel.runtime.rates.shared import Ask, BudgetAnswer
from tests.support.gcra import Model

KEY = Principal("key", "key_1", frozenset({"*"}))
# So slow that nothing comes back while a test runs.
HOUR = 3600


class Process:
    """As many of them as there are processes. Counts what Redis is asked."""

    def __init__(self, redis_url: str, **quotas: tuple[Quota, ...]) -> None:
        self.redis = RedisRates(redis_url)
        self.metrics = RateMetrics(CollectorRegistry())
        self.asked = 0
        self.budgets = Budgets(self, self.metrics)
        self.limiter = Limiter(quotas, self.budgets, self.metrics)

    async def take(self, asks: list[Ask]) -> list[BudgetAnswer]:
        self.asked += 1
        return list(await self.redis.take(asks))

    async def admit(self, rate: str = "read", who: Principal = KEY, client: str | None = None) -> Verdict:
        return await self.limiter.admit(who, client, rate)

    async def passed(self, requests: int, rate: str = "read", at_once: int = 50) -> int:
        """How many of so many requests pass."""
        passed = 0
        for begun in range(0, requests, at_once):
            together = min(at_once, requests - begun)
            verdicts = await asyncio.gather(*(self.admit(rate) for _ in range(together)))
            passed += sum(not verdict.refused_by for verdict in verdicts)
        return passed


@asynccontextmanager
async def processes(redis_url: str, many: int, **quotas: tuple[Quota, ...]) -> AsyncIterator[list[Process]]:
    running = [Process(redis_url, **quotas) for _ in range(many)]
    try:
        async with asyncio.timeout(60):
            yield running
    finally:
        for each in running:
            await each.redis.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


quotas = st.builds(Quota, st.integers(1, 50), st.integers(1, 3600))
some_policies = st.lists(quotas, min_size=1, max_size=3, unique_by=lambda each: each.seconds).map(
    lambda several: [Policy(str(each), each) for each in several]
)
asks = st.lists(st.tuples(st.integers(0, 600_000), st.integers(1, 8)), min_size=1, max_size=25)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policies=some_policies, steps=asks)
def test_redis_decides_as_the_model_does(
    redis_url: str, policies: list[Policy], steps: list[tuple[int, int]]
) -> None:
    """With a clock of ours in place of its own; off the edge, as in the test of one process."""
    script = rates.SCRIPT.replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
    assert script != rates.SCRIPT

    async def story() -> None:
        client = Redis.from_url(redis_url)
        model, whose, now = Model(policies), uuid4().hex, 10**15
        keys = [f"{whose}:{policy.name}" for policy in policies]
        try:
            for milliseconds, wanted in steps:
                now += milliseconds * 1000
                arguments = [
                    str(wanted),
                    *rates._arguments(policies),
                    str(now // 10**6),
                    str(now % 10**6),
                ]
                for key in keys:
                    await client.persist(key)  # it would go by Redis' clock
                granted, *owed = await client.eval(script, len(keys), *keys, *arguments)  # type: ignore[misc]
                before = list(model.arrivals)
                expected = model.take(Fraction(now, 10**6), wanted)
                if granted != expected:
                    # Microseconds are rounded: at the very edge, one more or one less.
                    assert abs(granted - expected) == 1 and _near_edge(before, policies, now, expected)
                    model.arrivals = before
                    for i, policy in enumerate(policies):
                        start = max(before[i], Fraction(now, 10**6))
                        model.arrivals[i] = start + granted * Fraction(
                            policy.quota.seconds, policy.quota.requests
                        )
                for arrival, here in zip(model.arrivals, owed, strict=True):
                    assert (
                        abs(float(arrival - Fraction(now, 10**6)) - int(here) / 1e6) < 1e-3 or int(here) == 0
                    )
        finally:
            await client.aclose()

    run(story)


def _near_edge(before: list[Fraction], policies: list[Policy], now: int, passed: int) -> bool:
    moment = Fraction(now, 10**6)
    for arrival, policy in zip(before, policies, strict=True):
        room = policy.window_seconds - max(Fraction(0), arrival - moment)
        exact = room * policy.quota.requests / policy.quota.seconds
        if abs(exact - round(exact)) < Fraction(1, 1000):
            return True
    return False


def test_two_processes_share_one_budget(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 2, read=(Quota(1000, HOUR),)) as (first, second):
            passed = await asyncio.gather(first.passed(900), second.passed(900))
            assert 1000 <= sum(passed) <= 1000 + 1, passed
            assert min(passed) > 100, "one does not live on what the other leaves"
            refused = await second.admit()
            assert refused.refused_by == ("read",)
            assert 1 <= refused.retry_after_seconds <= 4
            asked = first.asked + second.asked
            assert asked <= 1000 / 10 + 40, f"a share is ten requests, and Redis was asked {asked} times"
            before = first.asked
            assert await first.passed(500) == 0
            assert first.asked == before, "who is refused costs Redis nothing"

    run(story)


def test_a_small_quota_is_exact(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 4, sign_in=(Quota(20, HOUR),)) as running:
            passed = await asyncio.gather(*(each.passed(20, "sign_in", at_once=3) for each in running))
            assert sum(passed) == 20

    run(story)


def test_several_policies_are_charged_together_or_not_at_all(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 1, read=(Quota(5, HOUR), Quota(3, 60))) as (first,):
            assert await first.passed(20, at_once=7) == 3
            verdict = await first.admit()
            assert verdict.refused_by == ("read-1m",)
            limits = dict(verdict.fields)[b"ratelimit"].decode()
            assert limits.startswith('"read-1h";r=2;t=') and ', "read-1m";r=0;t=' in limits

    run(story)


def test_a_request_finds_its_share_without_asking(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 1, read=(Quota(100_000, HOUR),)) as (first,):
            await first.admit()
            for _ in range(499):  # half a share: no more is asked for
                verdict = await first.admit()
            assert first.asked == 1
            assert dict(verdict.fields)[b"ratelimit"].startswith(b'"read";r=99500;t=1')

    run(story)


def test_callers_and_classes_have_budgets_of_their_own(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 1, read=(Quota(1, HOUR),), write=(Quota(1, HOUR),)) as (first,):
            other = Principal("key", "key_2", frozenset())
            for who in (KEY, other):
                for rate in ("read", "write"):
                    assert not (await first.admit(rate, who)).refused_by
                    assert (await first.admit(rate, who)).refused_by == (rate,)
            # Nobody is who stands behind an address, and operators and classes without a quota are not counted.
            for _ in range(3):
                assert (await first.admit("stream")).fields == ()
                for free in (SYSTEM, Principal("system", "cli:anna"), Principal("admin", "admin")):
                    assert (await first.admit("read", free)).fields == ()
            assert first.metrics.refused.labels("read")._value.get() == 2

    run(story)


def test_ipv6_callers_are_counted_by_their_network_and_their_site(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 2, read=(Quota(5, HOUR),)) as (first, second):

            async def passes(process: Process, client: str) -> bool:
                return not (await process.admit("read", ANONYMOUS, client)).refused_by

            rotating = [f"2001:db8:0:1::{n:x}" for n in range(40)]
            assert sum([await passes(each, ip) for ip in rotating for each in (first, second)]) == 5
            # A whole /48 has sixteen times as much as one of its 65536 networks.
            networks = [f"2001:db8:0:{n:x}::1" for n in range(2, 90)]
            assert sum([await passes(first, ip) for ip in networks]) == 16 * 5 - 5
            assert await passes(first, "2001:db8:1::1"), "another site"
            assert sum([await passes(first, "198.51.100.7") for _ in range(20)]) == 5
            assert await passes(first, "198.51.100.8"), "an IPv4 neighbour is somebody else"
            assert len(first.budgets._known) < 300

    run(story)


def test_flushall_gives_a_budget_once_more_and_harms_nothing(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 2, read=(Quota(50, HOUR),)) as (first, second):
            assert await first.passed(60, at_once=1) == 50
            client = Redis.from_url(redis_url)
            await client.script_flush()
            await client.flushall()
            assert await first.passed(60, at_once=1) == 0, "what it knows of them it goes on knowing"
            assert await second.passed(60, at_once=1) == 50
            await client.aclose()

    run(story)


def test_a_clock_of_redis_that_was_set_back_costs_a_window_at_most(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 1, read=(Quota(10, 1),)) as (first,):
            client = Redis.from_url(redis_url)
            seconds, microseconds = await client.time()
            later = (seconds + 86_400) * 10**6 + microseconds
            await client.set(f"{PREFIX}read:key_1", later)
            refused = await first.admit()
            assert (refused.refused_by, refused.retry_after_seconds) == (("read",), 1)
            await asyncio.sleep(0.15)
            assert not (await first.admit()).refused_by
            await client.set(f"{PREFIX}read:key_1", "no number")
            assert (await first.redis.take([Ask(["read:key_1"], [Policy("read", Quota(10, 1))], 3)]))[
                0
            ].granted == 3
            await client.aclose()

    run(story)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedServers]:
    with EmbeddedServers.start(tmp_path / "servers", postgres=False) as running:
        yield running


def test_while_redis_is_stopped_each_process_goes_on_limiting(
    own_redis: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.05)

    async def story() -> None:
        async with processes(own_redis.redis_url or "", 2, read=(Quota(100, HOUR),)) as (first, second):
            assert await first.passed(60, at_once=1) == 60
            await asyncio.to_thread(own_redis.stop_redis)
            with capture_logs() as lines:
                began = time.monotonic()
                assert await first.passed(100, at_once=1) == 40, "from what it heard last"
                assert await second.passed(150, at_once=10) == 100, "it knows nothing, and has its own budget"
                assert time.monotonic() - began < 5
            assert [line["event"] for line in lines].count("rates.kept_by_each_process") == 2
            assert first.metrics.shared._value.get() == 0

            own_redis.start_redis()
            other = Principal("key", "key_2", frozenset())
            for each in (first, second):
                for _ in count():
                    await each.admit("read", other)
                    if each.metrics.shared._value.get() == 1:
                        break
                    await asyncio.sleep(0.02)
            third = Principal("key", "key_3", frozenset())
            passed = [
                not (await each.admit("read", third)).refused_by
                for _ in range(80)
                for each in (first, second)
            ]
            assert sum(passed) in (100, 101)

    run(story)


def test_a_stalled_redis_holds_up_requests_once(own_redis: EmbeddedServers) -> None:
    async def story() -> None:
        async with processes(own_redis.redis_url or "", 1, read=(Quota(50, HOUR),)) as (first,):
            client = Redis.from_url(own_redis.redis_url or "")
            await client.execute_command("CLIENT", "PAUSE", "1500", "ALL")
            began = time.monotonic()
            assert await first.passed(80, at_once=80) == 50
            assert time.monotonic() - began < 1
            began = time.monotonic()
            assert await first.passed(100, at_once=1) == 0
            assert time.monotonic() - began < 0.2
            await client.aclose()

    run(story)


def test_what_redis_refuses_is_said(redis_url: str) -> None:
    async def story() -> None:
        async with processes(redis_url, 1, read=(Quota(50, HOUR),)) as (first,):
            client = Redis.from_url(redis_url)
            await client.rpush(f"{PREFIX}read:key_1", "not ours")
            with pytest.raises(Unavailable, match="Redis refuses"):
                await first.redis.take([Ask(["read:key_1"], [Policy("read", Quota(10, 1))], 3)])
            assert await first.passed(60) == 50
            await client.aclose()

    run(story)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    quota=st.integers(1, 400),
    turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), min_size=1, max_size=20),
)
def test_no_order_of_requests_passes_more_than_a_budget_and_a_share_each(
    redis_url: str, quota: int, turns: list[tuple[int, int]]
) -> None:
    async def story() -> None:
        async with processes(redis_url, 3, **{uuid4().hex: (Quota(quota, 86_400),)}) as running:
            [rate] = running[0].limiter._policies
            began = time.monotonic()
            passed = 0
            for who, requests in turns:
                passed += await running[who].passed(requests, rate, at_once=requests)
            # What came back meanwhile; and what the others hold of it and have not used.
            came_back = (time.monotonic() - began) * quota / 86_400
            wanted = sum(requests for _, requests in turns)
            share = max(1, quota // 100)
            assert passed <= quota + came_back + 1
            assert passed >= min(wanted, quota - 3 * max(share, max(r for _, r in turns)))

    run(story)
