"""
Messages sent through providers, one job each: how the result of an attempt is written to a feature's tables.

The payload of their jobs is `{"message": id}`, and the value of their outcomes a `SendResult`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from msgspec import Struct

from ogel.kernel.clock import rfc3339
from ogel.kernel.errors import Conflict, NotFound
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Transaction, records
from ogel.runtime.delivery.providers import Try
from ogel.runtime.jobs.job import Finished

LOST = "its worker disappeared; whether it was sent is not known"
DISCARDED = "its job was discarded"


class SendResult(Struct, frozen=True):
    """
    tries        the providers asked in this attempt.
    provider_id  what the one that took it calls it.
    end          where the message stands when its job is done.
    """

    tries: Sequence[Try] = ()
    provider_id: str | None = None
    end: Literal["sent", "suppressed"] = "sent"


class ProviderAttempt(Struct, frozen=True):
    """
    A row of the attempt log: one provider asked once. Without an `error` it took the message. Without a `provider` only
    the start of the attempt is known.
    """

    id: str
    message_id: str
    provider: str | None
    started_at: str
    seconds: float | None
    error: str | None


class MessageState(Struct, frozen=True, kw_only=True):
    """A message's status after an attempt (`queued`, `failed`, or its end), and how many `attempts` were made."""

    id: str
    status: str
    attempts: int
    error: str | None
    provider: str | None
    provider_id: str | None
    next_attempt_at: datetime | None


class MessageQueries(Struct, frozen=True):
    """
    Of a feature, about its own tables.

    add_attempts  inserts `%(rows)s`, ProviderAttempts.
    settle        brings queued messages where `%(rows)s`, MessageStates, say that they stand…
    give_up       …or those of `%(ids)s` to `failed` with `%(error)s`; both return a row about each that is over now.
    reopen        queues those of `%(ids)s` again that were not sent.
    """

    add_attempts: bytes
    settle: bytes
    give_up: bytes
    reopen: bytes


Tell = Callable[[Transaction, Sequence[Mapping[str, Any]]], Awaitable[None]]


class SentMessages:
    """Records the results of a job kind that sends messages. `tell` publishes finished messages, from their rows."""

    def __init__(self, queries: MessageQueries, tell: Tell) -> None:
        self._queries = queries
        self._tell = tell

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        await self._add(tx, [row for each in finished for row in attempts_of(each)])
        states = [state for state in map(state_of, finished) if state is not None]
        if states:
            await self._tell(tx, await tx.dicts(self._queries.settle, {"rows": records(states)}))

    async def late(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        """Attempts that were lost before are recorded by the job's new owner."""
        await self._add(tx, [row for each in finished for row in tries_of(each)])

    async def discarded(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        parameters = {"ids": _ids(payloads), "error": DISCARDED}
        await self._tell(tx, await tx.dicts(self._queries.give_up, parameters))

    async def revived(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        await tx.execute(self._queries.reopen, {"ids": _ids(payloads)})

    async def _add(self, tx: Transaction, rows: Sequence[ProviderAttempt]) -> None:
        if rows:
            await tx.execute(self._queries.add_attempts, {"rows": records(rows)})


def _ids(payloads: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the ids sorted, so that transactions which lock some of the same rows cannot deadlock."""
    return sorted(payload["message"] for payload in payloads)


def message_of(finished: Finished) -> str:
    id: str = finished.job.payload["message"]
    return id


def tries_of(finished: Finished) -> list[ProviderAttempt]:
    """Returns the tries of this attempt. They happened, even when it comes too late to decide anything."""
    result: SendResult | None = finished.outcome.value
    return [
        ProviderAttempt(
            new_id("att"), message_of(finished), each.provider, each.started_at, each.seconds, each.error
        )
        for each in (result.tries if result else ())
    ]


def attempts_of(finished: Finished) -> list[ProviderAttempt]:
    """
    Returns the log rows: earlier attempts that were lost, of which only the claim time is known, and the tries made.
    """
    lost = [
        ProviderAttempt(new_id("att"), message_of(finished), None, rfc3339(at), None, LOST)
        for at in finished.job.lost or ()
    ]
    return [*lost, *tries_of(finished)]


def state_of(finished: Finished) -> MessageState | None:
    """Returns the state after the attempt; None: there was nothing left to do."""
    outcome = finished.outcome
    result: SendResult | None = outcome.value
    is_done = outcome.verdict == "done"
    if is_done and result is None:
        return None
    tries = result.tries if result else ()
    end = result.end if is_done and result else "failed" if outcome.verdict == "dead" else "queued"
    return MessageState(
        id=message_of(finished),
        status=end,
        attempts=len(tries) + len(finished.job.lost or ()),
        error=None if is_done else outcome.error,
        provider=tries[-1].provider if is_done and tries else None,
        provider_id=result.provider_id if result else None,
        next_attempt_at=finished.next_attempt_at,
    )


class _Message(Protocol):
    @property
    def status(self) -> str: ...


Found = TypeVar("Found", bound=_Message)


def found_message(message: Found | None, id: str) -> Found:
    """Raises NotFound."""
    if message is None:
        raise NotFound(f"No message {id!r}.")
    return message


def unsent_message(message: Found | None, id: str) -> Found:
    """Raises NotFound, or Conflict when it was sent."""
    found = found_message(message, id)
    if found.status == "sent":
        raise Conflict(f"Message {id!r} was sent; to send it again, make a new one.")
    return found
