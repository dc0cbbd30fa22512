"""What follows when no provider took a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ogel.kernel.clock import utc_now
from ogel.runtime.delivery.messages import SendResult
from ogel.runtime.delivery.policy import MessagePolicy, QueuedMessage
from ogel.runtime.delivery.providers import Exhausted, ProviderError, Try
from ogel.runtime.jobs.job import Job, Outcome, job_id_of
from ogel.runtime.jobs.retry import RetryPolicy

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY = MessagePolicy(RetryPolicy((10.0, 100.0), spread=0.0), most_wait_seconds=300.0)
DAY = 86_400.0


def after(
    error: ProviderError | None,
    open_seconds: float = 0.0,
    *,
    attempt: int = 1,
    asked: int = 0,
    lifetime: float = DAY,
    age: float = 0.0,
) -> Outcome:
    job = Job(
        job_id_of("msg_1"), "x.send", {"message": "msg_1"}, 0, "", "", attempt, 3, "lease", NOW, NOW, None
    )
    tries = [] if error is None else [Try("p0", NOW.isoformat(), 0.1, error.message)]
    message = QueuedMessage(asked, utc_now() - timedelta(seconds=age), lifetime)
    return POLICY.not_taken(job, message, Exhausted(tries, error, open_seconds), SendResult(tries))


@pytest.mark.parametrize(
    ("error", "verdict", "is_slow"),
    [
        (ProviderError("no such number", final=True), "dead", False),
        (ProviderError("down"), "retry", True),
        (ProviderError("not to this region", deferred=True), "retry", False),
        (ProviderError("wrong key", ours=True), "postpone", True),
        (ProviderError("other key", ours=True, deferred=True), "postpone", True),
        (ProviderError("busy", retry_after_seconds=5.0), "postpone", True),
        (None, "postpone", True),
    ],
)
def test_what_is_no_fault_of_the_message_costs_it_no_attempt(
    error: ProviderError | None, verdict: str, is_slow: bool
) -> None:
    outcome = after(error)
    assert (outcome.verdict, outcome.slow) == (verdict, is_slow)
    assert outcome.value.tries == ([] if error is None else [Try("p0", NOW.isoformat(), 0.1, error.message)])


def test_failures_wait_by_the_delays_and_until_somebody_may_be_asked() -> None:
    assert after(ProviderError("down")).after_seconds == 10.0
    assert 100.0 - 5.0 < (after(ProviderError("down"), attempt=2, age=5.0).after_seconds or 0) < 110.0
    opened = after(ProviderError("down"), open_seconds=30.0).after_seconds
    assert opened is not None and 30.0 <= opened <= 60.0


@pytest.mark.parametrize(
    ("error", "asked", "least"),
    [
        (None, 0, 1.0),
        (ProviderError("wrong key", ours=True), 0, 30.0),
        (ProviderError("wrong key", ours=True), 2, 120.0),
        (ProviderError("wrong key", ours=True), 50, 300.0),
        (ProviderError("other key", ours=True, deferred=True), 0, 300.0),
        (ProviderError("busy", retry_after_seconds=5.0), 0, 5.0),
        (ProviderError("busy", retry_after_seconds=5.0), 3, 40.0),
    ],
)
def test_what_costs_no_attempt_is_looked_at_ever_more_rarely(
    error: ProviderError | None, asked: int, least: float
) -> None:
    waits = [after(error, asked=asked).after_seconds or 0.0 for _ in range(100)]
    assert least <= min(waits) < max(waits) <= 2 * least, "never together, and never earlier than asked for"


@pytest.mark.parametrize("error", [ProviderError("down"), ProviderError("wrong key", ours=True), None])
def test_nothing_is_tried_after_the_lifetime(error: ProviderError | None) -> None:
    outcome = after(error, open_seconds=20.0, age=50.0, lifetime=60.0)
    assert (outcome.verdict, outcome.after_seconds) == ("dead", None)
    assert (outcome.error or "").endswith("; another attempt would come after its 60 s")
