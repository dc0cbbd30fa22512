"""Sending: one message to whoever takes it, the outcome written with the job's."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ogel.features.messaging.devices.store import DeviceStore, GoneDevice
from ogel.features.messaging.messages.events import MessageEvents
from ogel.features.messaging.messages.message import QUEUE, SEND
from ogel.features.messaging.messages.purges import MESSAGES
from ogel.features.messaging.messages.store import MessageStore
from ogel.features.messaging.sending.senders import Senders
from ogel.features.messaging.sending.store import SendingStore
from ogel.features.messaging.sending.work import Pushed, Work
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Transaction
from ogel.runtime.delivery.providers import Exhausted, ProviderError
from ogel.runtime.delivery.sent import Sent, attempts_of, settled_of, tries_of
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.jobs.kind import Backoff, JobKind
from ogel.runtime.messaging import Gone

# With the waits between them: 34 minutes on average, at most an hour and more.
ATTEMPTS = 12
BACKOFF = Backoff(first_seconds=2.0, cap_seconds=3600.0)
# A provider that must be left alone is looked at again after this at the soonest.
LEAST_PAUSE_SECONDS = 1.0
# A refusal of us costs no attempt, and waits for whoever runs this to mend it; one for the sake of a single device may
# wait in vain.
REFUSED_SECONDS = 30.0
REFUSED_HERE_SECONDS = 300.0
UNREADABLE_SECONDS = 60.0


class Send:
    """The job kind `messaging.send`; its payload is `{"message": "msg_…"}`."""

    def __init__(
        self,
        store: SendingStore,
        messages: MessageStore,
        devices: DeviceStore,
        events: MessageEvents,
        senders: Senders,
        backoff: Backoff = BACKOFF,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._store = store
        self._messages = messages
        self._devices = devices
        self._events = events
        self._senders = senders
        self._backoff = backoff
        self._attempts = attempts

    def kind(self) -> JobKind:
        return JobKind(
            SEND,
            queue=QUEUE,
            perform=self.perform,
            load=self.load,
            record=self.record,
            late=self.late,
            discarded=self.discarded,
            revived=self.revived,
            purged_with=MESSAGES,
            cancellable=False,
            max_attempts=self._attempts,
            backoff=self._backoff,
        )

    async def load(self, tx: Transaction, jobs: Sequence[Job]) -> Mapping[str, Work]:
        found = await self._store.load(tx, [job.payload["message"] for job in jobs])
        return {job.id: found[job.payload["message"]] for job in jobs if job.payload["message"] in found}

    async def perform(self, job: Job, work: Work) -> Outcome:
        now = utc_now()
        if work.hopeless is not None:
            return Outcome("dead", work.hopeless)
        if work.age_seconds(now) > work.lifetime_seconds:
            return Outcome("dead", f"it was not sent within {work.lifetime_seconds} s")
        message = work.message(now)
        if message is None:
            # Ours to repair (a changed OGEL_SECRET), so it costs no attempt.
            return self._wait(
                work, "postpone", "its device cannot be read: see `ogel secrets status`", UNREADABLE_SECONDS
            )
        try:
            id, tries = await self._senders.send(message)
        except Exhausted as exhausted:
            return self._not_taken(job, work, exhausted)
        return Outcome("done", value=Sent(tries, id))

    def _not_taken(self, job: Job, work: Work, exhausted: Exhausted) -> Outcome:
        error, sent = exhausted.error, Sent(exhausted.tries)
        if error is not None and error.final:
            if isinstance(error, Gone) and work.device is not None:
                sent = Pushed(exhausted.tries, gone=work.device, reason=error.message)
            return Outcome("dead", error.message, value=sent)
        # Jitter: what waited for the same breaker must not come back together.
        pause = max(_least_pause(error), exhausted.after_seconds or 0.0) * random.uniform(1.0, 2.0)  # noqa: S311
        if error is None or error.ours:
            return self._wait(work, "postpone", str(exhausted), pause, sent)
        # Whoever asks again and again for a second must not have used up all attempts within a minute.
        pause = max(pause, self._backoff.delay(job.attempts))
        return self._wait(work, "retry", error.message, pause, sent, slow=not error.deferred)

    def _wait(
        self,
        work: Work,
        verdict: Any,
        error: str,
        seconds: float,
        sent: Sent | None = None,
        slow: bool = True,
    ) -> Outcome:
        """For the next attempt, unless it would come too late."""
        if work.age_seconds(utc_now()) + seconds > work.lifetime_seconds:
            late = f"{error}; another attempt would come after its {work.lifetime_seconds} s"
            return Outcome("dead", late, value=sent)
        return Outcome(verdict, error, after_seconds=seconds, value=sent, slow=slow)

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        await self._store.add_attempts(tx, [row for each in finished for row in attempts_of(each)])
        settled = [each for each in map(settled_of, finished) if each is not None]
        if settled:
            await self._events.ended(tx, await self._store.settle(tx, settled))
        gone = {each.id: each for each in map(_gone, finished) if each is not None}
        if gone:
            await self._events.gone(tx, await self._devices.disable(tx, list(gone.values())))

    async def late(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        await self._store.add_attempts(tx, [row for each in finished for row in tries_of(each)])

    async def discarded(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        ids = [payload["message"] for payload in payloads]
        await self._events.ended(tx, await self._messages.drop(tx, ids, "its job was discarded"))

    async def revived(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        await self._messages.reopen(tx, [payload["message"] for payload in payloads])


def _least_pause(error: ProviderError | None) -> float:
    if error is None or not error.ours:
        return LEAST_PAUSE_SECONDS
    return REFUSED_HERE_SECONDS if error.deferred else REFUSED_SECONDS


def _gone(each: Finished) -> GoneDevice | None:
    pushed = each.outcome.value
    if not isinstance(pushed, Pushed) or pushed.gone is None:
        return None
    return GoneDevice(pushed.gone.id, pushed.gone.seen_at, pushed.reason)
