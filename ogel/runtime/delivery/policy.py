"""How long a message is tried, and what happens when no provider took it."""

from __future__ import annotations

import random
from datetime import datetime

from msgspec import Struct

from ogel.kernel.clock import utc_now
from ogel.runtime.delivery.messages import SendResult
from ogel.runtime.delivery.providers import Exhausted, ProviderError
from ogel.runtime.jobs.job import Job, Outcome
from ogel.runtime.jobs.retry import RetryPolicy

# The least time between two checks of the breakers, when no provider could be asked.
LEAST_SECONDS = 1.0
# Waits after a provider refused our account, which the operator has to repair; and after it refused us because of this
# message alone, where waiting may be in vain.
REFUSED_SECONDS = 30.0
REFUSED_HERE_SECONDS = 300.0
UNREADABLE_SECONDS = 60.0


class QueuedMessage(Struct, frozen=True):
    """
    attempts          how often a provider was asked to take it before.
    queued_at         when it was accepted, or revived.
    lifetime_seconds  from then on; after them it has failed.
    """

    attempts: int
    queued_at: datetime
    lifetime_seconds: float

    @property
    def age_seconds(self) -> float:
        return (utc_now() - self.queued_at).total_seconds()


class MessagePolicy(Struct, frozen=True):
    """
    retries            of what a provider failed at, or would not do now: each costs the message an attempt.
    most_wait_seconds  between two looks at what is no fault of the message and costs it none: that we were refused or
                       asked to wait, or that nobody could be asked. The wait doubles with each time a provider was
                       asked, and the message's lifetime ends it.
    """

    retries: RetryPolicy
    most_wait_seconds: float

    def not_taken(
        self, job: Job, message: QueuedMessage, exhausted: Exhausted, result: SendResult
    ) -> Outcome:
        error = exhausted.error
        if error is not None and error.final:
            return Outcome("dead", error.message, value=result)
        is_slow = error is None or not error.is_refusal
        open_seconds = exhausted.after_seconds or 0.0
        if error is None or error.ours or error.retry_after_seconds is not None:
            wait = _later(max(open_seconds, self._wait(message, error)))
            return _in_time(message, Outcome("postpone", str(exhausted), wait, result, slow=is_slow))
        wait = self.retries.delay_of(job.attempts, message.age_seconds, _later(open_seconds))
        return _in_time(message, Outcome("retry", str(exhausted), wait, result, slow=is_slow))

    def unreadable(self, message: QueuedMessage, error: str) -> Outcome:
        """Postpones without counting the attempt, because the operator can repair it (a changed OGEL_SECRET)."""
        return _in_time(message, Outcome("postpone", error, UNREADABLE_SECONDS, slow=True))

    def _wait(self, message: QueuedMessage, error: ProviderError | None) -> float:
        if error is None:
            return LEAST_SECONDS
        first = error.retry_after_seconds or (REFUSED_HERE_SECONDS if error.deferred else REFUSED_SECONDS)
        return min(self.most_wait_seconds, first * 2.0 ** min(message.attempts, 10))


def _later(seconds: float) -> float:
    """
    Postpones with jitter, and never to before the time asked for: messages behind one breaker must not all return at
    once.
    """
    return seconds * random.uniform(1.0, 2.0)  # noqa: S311 - spreads load, guards nothing


def _in_time(message: QueuedMessage, again: Outcome) -> Outcome:
    """Makes the message dead instead, when the next attempt would come after its lifetime."""
    if message.age_seconds + (again.after_seconds or 0.0) <= message.lifetime_seconds:
        return again
    late = f"{again.error}; another attempt would come after its {message.lifetime_seconds:g} s"
    return Outcome("dead", late, value=again.value)
