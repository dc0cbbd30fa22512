"""What workers do for mail: ask the providers in turn, write down what they said."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from ogel.features.mail.purge import MESSAGES
from ogel.features.mail.store import Due, MailStore, Over
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.delivery.providers import Exhausted, ProviderError, Providers
from ogel.runtime.delivery.sent import Sent, Settled, attempts_of, message_of, settled_of, tries_of
from ogel.runtime.jobs.job import DONE, Finished, Job, NewJob, Outcome, job_id_of
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.mail.address import InvalidAddress
from ogel.runtime.mail.letter import Bounced, MailProvider
from ogel.runtime.outbox import Outbox

log = structlog.get_logger(__name__)

QUEUE = "mail"
SEND = "mail.send"
SENT, FAILED = "mail.sent", "mail.failed"

# Letters under way at once in a process: each is held in memory, and is a connection to a server that counts them.
MOST_AT_ONCE = 32
PLACE_SECONDS = 60.0
# What is no fault of a letter (a wrong key, a quota) costs it no attempt, but is not waited for for ever.
GIVE_UP_AFTER = timedelta(days=3)
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 30.0, 3600.0
# When nobody was asked at all: the least time between two looks at the breakers.
BREAKER_WAIT_SECONDS = 1.0


def send_job(message_id: str, caller: Caller) -> NewJob:
    """
    A message has one job, whose id follows from its own. Whoever asks for much mail shares a key with nobody: a
    newsletter takes its turns with password resets.
    """
    return NewJob(SEND, {"message": message_id}, key=f"mail:{caller.principal.id}", id=job_id_of(message_id))


class Result(Sent, frozen=True):
    """`bounced`: nobody has its address. `suppressed`: nothing is sent to it, and nobody was asked."""

    bounced: bool = False
    suppressed: bool = False


class SendMail:
    """
    The job kind `mail.send`; its payload is `{"message": "msg_…"}`. A letter that was sent by a worker that died before
    it could say so is sent again, with the same Message-ID and idempotency key.

    retry_delays     seconds before the second attempt, the third, …
    timeout_seconds  of one provider.
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
        self._retry_delays = retry_delays
        self._timeout_seconds = timeout_seconds
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    def kind(self) -> JobKind:
        return JobKind(
            SEND,
            queue=QUEUE,
            perform=self.perform,
            record=self.record,
            late=self.late,
            discarded=self.discarded,
            revived=self.revived,
            max_attempts=len(self._retry_delays) + 1,
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
        # Read here and not in `load`: a claimed batch of large letters would fill the memory.
        try:
            async with self._database.autocommit() as tx:
                due = await self._store.due(tx, job.payload["message"])
        except InvalidAddress as error:
            return Outcome("dead", str(error), value=Result())
        if due is None:
            return DONE
        if due.suppressed:
            return Outcome("done", value=Result(suppressed=True))
        try:
            receipt, tries = await self._providers.first_to_take(
                lambda provider: provider.send(due.letter), self._timeout_seconds
            )
        except Exhausted as exhausted:
            return self._not_taken(job, due, exhausted)
        return Outcome("done", value=Result(tries, receipt.id))

    def _not_taken(self, job: Job, due: Due, exhausted: Exhausted) -> Outcome:
        error = exhausted.error
        result = Result(exhausted.tries, bounced=isinstance(error, Bounced))
        if error is not None and error.final:
            return Outcome("dead", error.message, value=result)
        open_seconds = exhausted.after_seconds or 0.0
        if error is None or error.ours or error.retry_after_seconds is not None:
            return self._postponed(due, error, open_seconds, result)
        delay = _spread(self._retry_delays[min(job.attempts, len(self._retry_delays)) - 1])
        return Outcome("retry", error.message, after_seconds=max(delay, open_seconds), value=result)

    def _postponed(
        self, due: Due, error: ProviderError | None, open_seconds: float, result: Result
    ) -> Outcome:
        """No fault of the letter: nobody could be asked, or it was us who were refused, or too much at once."""
        message = self._nobody_asked() if error is None else error.message
        if utc_now() - due.queued_at > GIVE_UP_AFTER:
            return Outcome("dead", f"given up after {GIVE_UP_AFTER.days} days: {message}", value=result)
        wait = FIRST_WAIT_SECONDS
        if error is not None:
            first = error.retry_after_seconds or FIRST_WAIT_SECONDS
            wait = min(LONGEST_WAIT_SECONDS, first * 2.0 ** min(due.attempts, 10))
        elif self._providers.names:
            wait = BREAKER_WAIT_SECONDS
        delay = max(_spread(wait), open_seconds)
        slow = error is not None and error.retry_after_seconds is not None
        return Outcome("postpone", message, after_seconds=delay, value=result, slow=slow)

    def _nobody_asked(self) -> str:
        if not self._providers.names:
            return "no provider of mail is configured: see OGEL_MAIL_PROVIDERS"
        return "every provider of mail has failed, and is left alone for a while"

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        await self._store.add_attempts(tx, [row for each in finished for row in attempts_of(each)])
        settled = [each for each in map(_stands, finished) if each is not None]
        over = await self._store.settle(tx, settled)
        bounced = {message_of(each) for each in finished if each.outcome.value and each.outcome.value.bounced}
        await self._store.suppress_bounced(tx, [each for each in settled if each.id in bounced])
        await self._outbox.publish(tx, [_event(each) for each in over])

    async def late(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        """What went before is for the new owner to tell."""
        await self._store.add_attempts(tx, [row for each in finished for row in tries_of(each)])

    async def discarded(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        await self._store.give_up(tx, [each["message"] for each in payloads], "its job was discarded")

    async def revived(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        await self._store.reopen(tx, [each["message"] for each in payloads])


def _spread(seconds: float) -> float:
    """Around it, so that what failed together does not come back together."""
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing


def _stands(finished: Finished) -> Settled | None:
    stands, result = settled_of(finished), finished.outcome.value
    if stands is not None and result is not None and result.suppressed:
        return msgspec.structs.replace(stands, status="suppressed")
    return stands


def _event(over: Over) -> Event:
    data = msgspec.json.encode({name: value for name, value in over._asdict().items() if name != "status"})
    type = SENT if over.status == "sent" else FAILED
    return Event(new_id("evt"), type, data, over.id, utc_now())
