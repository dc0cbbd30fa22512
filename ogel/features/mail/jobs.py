"""The job that sends mail: it asks the providers in turn and records their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.mail.purge import MESSAGES
from ogel.features.mail.store import MESSAGE_QUERIES, DueMail, MailStore
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.delivery.messages import SendResult, SentMessages, message_of
from ogel.runtime.delivery.policy import MessagePolicy
from ogel.runtime.delivery.providers import Exhausted, Providers
from ogel.runtime.jobs.job import DONE, Finished, Job, NewJob, Outcome, job_id_of
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.mail.address import InvalidAddress
from ogel.runtime.mail.letter import Bounced, Letter, MailProvider
from ogel.runtime.outbox import Outbox

QUEUE = "mail"
SEND = "mail.send"
SENT, FAILED = "mail.sent", "mail.failed"

# Messages sent at once by a process: each is held in memory and uses a connection, of which servers allow few.
MOST_AT_ONCE = 32
PLACE_SECONDS = 60.0
# A failure that is not the message's fault (a wrong key, a quota) costs no attempt, but is retried for a limited time.
LIFETIME_SECONDS = 3 * 86_400.0
LONGEST_WAIT_SECONDS = 3600.0
# Servers that greylist refuse unknown senders for a minimum time, and an earlier attempt is wasted; so these delays
# vary less than those of other jobs.
SPREAD = 0.25


def send_job(message_id: str, caller: Caller) -> NewJob:
    """
    A message has one job, whose id is derived from its own. The messages of one principal share a queue key, so that a
    newsletter takes turns with the password resets of others.
    """
    return NewJob(SEND, {"message": message_id}, key=f"mail:{caller.principal.id}", id=job_id_of(message_id))


class BouncedResult(SendResult, frozen=True):
    """The provider says that the message's address does not exist."""


class SendMail:
    """
    The job kind `mail.send`; its payload is `{"message": "msg_…"}`. If a worker dies after sending a message and
    before recording that, the message is sent again, with the same Message-ID and idempotency key.

    retry_delays     seconds before the second attempt, the third, …
    timeout_seconds  the time limit of one provider.
    """

    def __init__(
        self,
        database: Database,
        store: MailStore,
        outbox: Outbox,
        providers: Providers[MailProvider],
        retry_delays: Sequence[float],
        timeout_seconds: float,
    ) -> None:
        self._database = database
        self._store = store
        self._outbox = outbox
        self._providers = providers
        self._retries = RetryPolicy(retry_delays, SPREAD)
        self._policy = MessagePolicy(self._retries, LONGEST_WAIT_SECONDS)
        # Retry delays that add up to more than this limit are still kept to.
        self._lifetime_seconds = max(LIFETIME_SECONDS, 2 * sum(retry_delays))
        self._timeout_seconds = timeout_seconds
        self._messages = SentMessages(MESSAGE_QUERIES, self._publish)
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    def kind(self) -> JobKind:
        return JobKind(
            SEND,
            queue=QUEUE,
            perform=self.perform,
            record=self.record,
            late=self._messages.late,
            discarded=self._messages.discarded,
            revived=self._messages.revived,
            max_attempts=self._retries.attempts,
            timeout_seconds=PLACE_SECONDS + (len(self._providers.names) + 1) * self._timeout_seconds,
            purged_with=MESSAGES,
        )

    async def perform(self, job: Job, _: Any) -> Outcome:
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            return Outcome("postpone", "too much mail is under way", after_seconds=5.0, slow=True)
        try:
            return await self._send(job)
        finally:
            self._places.release()

    async def _send(self, job: Job) -> Outcome:
        # Read here and not in `load`, where a batch of large messages would fill the memory.
        try:
            async with self._database.autocommit() as tx:
                due = await self._store.due(tx, job.payload["message"], self._lifetime_seconds)
        except InvalidAddress as error:
            return Outcome("dead", str(error), value=SendResult())
        if due is None:
            return DONE
        if due.suppressed:
            return Outcome("done", value=SendResult(end="suppressed"))
        if due.has_come_too_late:
            return Outcome("dead", f"it was not sent within {due.lifetime_seconds:g} s", value=SendResult())
        if due.letter is None:
            return self._policy.unreadable(due, "its words cannot be read: see `ogel secrets status`")
        return await self._ask(job, due, due.letter)

    async def _ask(self, job: Job, due: DueMail, letter: Letter) -> Outcome:
        try:
            receipt, tries = await self._providers.first_to_take(
                lambda provider: provider.send(letter), self._timeout_seconds
            )
        except Exhausted as exhausted:
            kind = BouncedResult if isinstance(exhausted.error, Bounced) else SendResult
            return self._policy.not_taken(job, due, exhausted, kind(exhausted.tries))
        return Outcome("done", value=SendResult(tries, receipt.id))

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        await self._messages.record(tx, finished)
        bounced = {
            message_of(each): each.outcome.error
            for each in finished
            if isinstance(each.outcome.value, BouncedResult)
        }
        await self._store.suppress_bounced(tx, bounced)

    async def _publish(self, tx: Transaction, over: Sequence[Mapping[str, Any]]) -> None:
        await self._outbox.publish(tx, [_event(each) for each in over])


def _event(over: Mapping[str, Any]) -> Event:
    data = msgspec.json.encode({name: value for name, value in over.items() if name != "status"})
    type = SENT if over["status"] == "sent" else FAILED
    return Event(new_id("evt"), type, data, over["id"], utc_now())
