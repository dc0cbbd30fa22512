"""The job that sends a message through a provider; the outcome is recorded together with the job's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.features.messaging.devices.store import DeviceStore, GoneDevice
from ogel.features.messaging.messages.events import MessageEvents
from ogel.features.messaging.messages.message import QUEUE, SEND
from ogel.features.messaging.messages.purges import MESSAGES
from ogel.features.messaging.sending.due import DueMessage, GoneResult
from ogel.features.messaging.sending.senders import Senders
from ogel.features.messaging.sending.store import MESSAGE_QUERIES, DueMessageStore
from ogel.runtime.database.database import Transaction
from ogel.runtime.delivery.messages import SendResult, SentMessages
from ogel.runtime.delivery.policy import MessagePolicy
from ogel.runtime.delivery.providers import Exhausted
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.messaging import Gone

# With the waits between them: 34 minutes on average, at most an hour and more.
ATTEMPTS = 12
# SMS and push are urgent, so a corrected configuration must be noticed within minutes.
POLICY = MessagePolicy(
    RetryPolicy.doubling(first_seconds=2.0, cap_seconds=3600.0, attempts=ATTEMPTS), most_wait_seconds=300.0
)


class Send:
    """The job kind `messaging.send`; its payload is `{"message": "msg_…"}`."""

    def __init__(
        self,
        store: DueMessageStore,
        devices: DeviceStore,
        events: MessageEvents,
        senders: Senders,
        policy: MessagePolicy = POLICY,
    ) -> None:
        self._store = store
        self._devices = devices
        self._events = events
        self._senders = senders
        self._policy = policy
        self._messages = SentMessages(MESSAGE_QUERIES, events.ended)

    def kind(self) -> JobKind:
        return JobKind(
            SEND,
            queue=QUEUE,
            perform=self.perform,
            load=self.load,
            record=self.record,
            late=self._messages.late,
            discarded=self._messages.discarded,
            revived=self._messages.revived,
            purged_with=MESSAGES,
            cancellable=False,
            max_attempts=self._policy.retries.attempts,
        )

    async def load(self, tx: Transaction, jobs: Sequence[Job]) -> Mapping[str, DueMessage]:
        found = await self._store.load(tx, [job.payload["message"] for job in jobs])
        return {job.id: found[job.payload["message"]] for job in jobs if job.payload["message"] in found}

    async def perform(self, job: Job, due: DueMessage) -> Outcome:
        if due.hopeless is not None:
            return Outcome("dead", due.hopeless)
        if due.age_seconds > due.lifetime_seconds:
            return Outcome("dead", f"it was not sent within {due.lifetime_seconds} s")
        message = due.message()
        if message is None:
            return self._policy.unreadable(due, "its device cannot be read: see `ogel secrets status`")
        try:
            id, tries = await self._senders.send(message)
        except Exhausted as exhausted:
            return self._policy.not_taken(job, due, exhausted, _result(due, exhausted))
        return Outcome("done", value=SendResult(tries, id))

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        await self._messages.record(tx, finished)
        results = [each.outcome.value for each in finished]
        gone = {each.device.id: each.device for each in results if isinstance(each, GoneResult)}
        if gone:
            await self._events.gone(tx, await self._devices.disable(tx, list(gone.values())))


def _result(due: DueMessage, exhausted: Exhausted) -> SendResult:
    error, device = exhausted.error, due.device
    if device is None or not isinstance(error, Gone):
        return SendResult(exhausted.tries)
    return GoneResult(exhausted.tries, device=GoneDevice(device.id, device.seen_at, error.message))
