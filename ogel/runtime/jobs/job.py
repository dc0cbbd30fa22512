"""A job as it is written, as it is claimed, and how it can end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from ogel.kernel.ids import new_id

# Priorities: a lower number is claimed first. By default, first attempts come before retries.
URGENT, FIRST_ATTEMPT, RETRY, REPLAY, LOW = -1, 0, 1, 2, 3


class NewJob(Struct, frozen=True):
    """
    kind        a stable name that outlives the code ("webhooks.deliver"); it decides the queue.
    payload     small, JSON, readable in a log.
    key         jobs of one key share what `JobKeys` says of it: its limits, its rate, its breaker. Empty: none.
    order_key   jobs of one key and order_key run one at a time, in the order they were written. Empty: in any.
    priority    lower goes first: see URGENT and what follows it.
    dedupe_key  unique among unfinished jobs: a second job with it is not written.
    keep_result_seconds  how its end can be looked up that long (GET /api/jobs/{id}); None: a job that is done is gone.
    """

    kind: str
    payload: Mapping[str, Any]
    key: str = ""
    order_key: str = ""
    priority: int = FIRST_ATTEMPT
    dedupe_key: str | None = None
    scheduled_at: datetime | None = None
    keep_result_seconds: float | None = None
    id: str = field(default_factory=lambda: new_id("job"))


def job_id_of(id: str) -> str:
    """
    Returns the id of the one job of a delivery or message. It follows from the other's id, so the job cannot exist
    twice.
    """
    return f"job_{id.partition('_')[2]}"


class Job(Struct, frozen=True, gc=False):
    """A claimed job.

    attempts   counts this one: 1 at the first try.
    lost       when the claims before this one began that never said how they ended: their workers disappeared.
    cancelled  somebody wanted it to end before this claim.
    """

    id: str
    kind: str
    payload: Mapping[str, Any]
    priority: int
    key: str
    order_key: str
    attempts: int
    max_attempts: int
    lease_id: str
    scheduled_at: datetime
    claimed_at: datetime
    lost: list[datetime] | None
    cancelled: bool = False

    @property
    def is_last_attempt(self) -> bool:
        return self.attempts >= self.max_attempts


class Outcome(Struct, frozen=True):
    """How one attempt ended. `value` is for the kind's own `record`; `result` is for whoever asked to keep it: JSON,
    MOST_RESULT_BYTES at most. `slow`: the key can't keep up with what it has in flight; it is given less at once, until
    more is done.

    done       the job leaves the table.
    retry      again after `after_seconds` (None: the kind's backoff); dead when attempts are used up.
    postpone   again after `after_seconds`, and this attempt does not count: the fault was ours.
    dead       no further attempt; kept until someone retries or discards it.
    cancelled  somebody did not want it any more: it leaves the table, and its kind is told that it was discarded.
    """

    verdict: Literal["done", "retry", "postpone", "dead", "cancelled"]
    error: str | None = None
    after_seconds: float | None = None
    value: Any = None
    result: Any = None
    slow: bool = False


DONE = Outcome("done")
CANCELLED = Outcome("cancelled", "cancelled")
MOST_RESULT_BYTES = 64 * 1024


class Finished(Struct, frozen=True):
    """An attempt whose result is to be written. `outcome` is final: a retry after the last attempt is `dead` here."""

    job: Job
    outcome: Outcome
    next_attempt_at: datetime | None
