"""Providers in turn, and the breaker before each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from ogel.runtime.delivery.breaker import FAILURES, MOST_OPEN_SECONDS, OPEN_SECONDS, Breaker
from ogel.runtime.delivery.providers import Exhausted, Guarded, ProviderError, ProviderMetrics, Providers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """Takes, or raises, what it was told to, in turn; the last for good."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def send(self) -> str:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return str(answer)


def providers(clock: Clock, *scripted: Scripted) -> Providers[Scripted]:
    guarded = [Guarded(f"p{n}", each, Breaker(clock)) for n, each in enumerate(scripted)]
    return Providers("trial", guarded, ProviderMetrics(CollectorRegistry()))


def send(chain: Providers[Scripted]) -> tuple[str, Sequence[str | None]]:
    result, tries = asyncio.run(chain.first_to_take(Scripted.send, 1.0))
    return result, [each.error for each in tries]


def test_the_second_is_asked_when_the_first_fails() -> None:
    chain = providers(Clock(), Scripted(ProviderError("down")), Scripted("ok"))
    assert send(chain) == ("ok", ["down", None])


def test_what_is_refused_for_good_is_not_offered_to_the_next() -> None:
    second = Scripted("ok")
    chain = providers(Clock(), Scripted(ProviderError("no such address", final=True)), second)
    with pytest.raises(Exhausted) as caught:
        send(chain)
    assert caught.value.error is not None
    assert caught.value.error.final
    assert second.asked == 0


def test_a_dead_provider_is_left_alone_and_asked_again_by_one_call() -> None:
    clock, first = Clock(), Scripted(*[ProviderError("down")] * FAILURES, "back")
    chain = providers(clock, first, Scripted("second"))
    for _ in range(FAILURES):
        assert send(chain)[0] == "second"
    assert send(chain) == ("second", [None])
    assert first.asked == FAILURES
    clock.now = OPEN_SECONDS + 1
    assert send(chain) == ("back", [None])
    assert send(chain) == ("back", [None])


def test_one_that_is_well_and_will_not_now_is_followed_by_the_next_and_stays_asked() -> None:
    first = Scripted(ProviderError("not this one", deferred=True))
    chain = providers(Clock(), first, Scripted("second"))
    for _ in range(FAILURES + 1):
        assert send(chain) == ("second", ["not this one", None])
    assert first.asked == FAILURES + 1


def test_however_long_it_asks_to_be_left_alone_it_is_asked_again_the_same_day() -> None:
    clock = Clock()
    chain = providers(clock, Scripted(ProviderError("slow", retry_after_seconds=1e9), "back"))
    with pytest.raises(Exhausted):
        send(chain)
    clock.now = MOST_OPEN_SECONDS
    assert send(chain)[0] == "back"


def test_no_call_that_ends_late_makes_it_be_asked_earlier() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    breaker.failed(seconds=300)
    breaker.failed(at_once=True)
    assert breaker.seconds_left == 300


def test_what_failed_before_a_success_makes_no_later_wait_longer() -> None:
    breaker = Breaker(Clock())
    breaker.failed()
    breaker.succeeded()
    breaker.failed(seconds=1)
    assert breaker.seconds_left == 1


def test_a_refusal_of_us_for_the_sake_of_one_message_holds_up_no_other_and_counts_as_failed() -> None:
    registry = CollectorRegistry()
    refusing = Scripted(ProviderError("another key", ours=True, deferred=True))
    chain = Providers("push", [Guarded("p0", refusing, Breaker(Clock()))], ProviderMetrics(registry))
    for _ in range(FAILURES + 1):
        with pytest.raises(Exhausted) as caught:
            send(chain)
        assert caught.value.error is not None and caught.value.after_seconds == 0
    failed = {"what": "push", "provider": "p0", "outcome": "failed"}
    assert registry.get_sample_value("ogel_provider_calls_total", failed) == FAILURES + 1


def test_while_one_call_tries_the_others_do_not() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert breaker.try_enter()
        breaker.failed()
    assert not breaker.try_enter()
    clock.now = OPEN_SECONDS
    assert breaker.try_enter()
    assert not breaker.try_enter()
    breaker.left()
    assert breaker.try_enter()
    breaker.succeeded()
    assert breaker.try_enter()
    assert breaker.try_enter()


def test_when_all_are_open_it_says_when_one_may_be_asked() -> None:
    clock = Clock()
    chain = providers(
        clock,
        Scripted(ProviderError("wrong key", ours=True)),
        Scripted(ProviderError("slow", retry_after_seconds=7)),
    )
    with pytest.raises(Exhausted) as caught:
        send(chain)
    assert [each.error for each in caught.value.tries] == ["wrong key", "slow"]
    with pytest.raises(Exhausted) as caught:
        send(chain)
    assert (caught.value.tries, caught.value.error, caught.value.after_seconds) == ([], None, 7)


def test_one_that_does_not_answer_is_given_up_on() -> None:
    async def story() -> None:
        async def never(_: Scripted) -> str:
            await asyncio.Event().wait()
            return ""

        with pytest.raises(Exhausted, match=r"did not answer within 0\.01 s"):
            await providers(Clock(), Scripted("")).first_to_take(never, 0.01)

    asyncio.run(story())
