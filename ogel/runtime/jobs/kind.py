"""A job kind as a feature declares it: what to do, how often, how long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ogel.runtime.database.database import Transaction
from ogel.runtime.database.pieces import Piece
from ogel.runtime.jobs.isolation import Isolation, Isolator
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.jobs.retry import RetryPolicy

Perform = Callable[[Job, Any], Awaitable[Outcome | None]]
Load = Callable[[Transaction, Sequence[Job]], Awaitable[Mapping[str, Any]]]
Record = Callable[[Transaction, Sequence[Finished]], Awaitable[None]]
Recorded = Callable[[Sequence[Finished]], Sequence[Piece] | None]
Chosen = Callable[[Transaction, Sequence[Mapping[str, Any]]], Awaitable[None]]


DOUBLING = RetryPolicy.doubling()


class JobKind(Struct, frozen=True):
    """
    perform          gets the job and what `load` found for it; holds no connection. Must be safe to repeat.
                     None stands for done; an exception for a retry.
    isolated         instead of `perform`: the job gets a process of its own. Such kinds share no queue with others, so
                     that a worker claims no more of them than it has processes for.
    load             reads what a claimed batch needs before performing, by job id. A job it leaves out has
                     nothing left to do and is done.
    record           writes results in the transaction that completes their jobs; sees only jobs this worker
                     still owned.
    recorded         the same for jobs that are done, as pieces of the statement that ends them; this worker still owned
                     those that are `ended (id, payload)`. None: they take more than that, and `record` writes them.
    late             told of results that came when their job had a new owner: they are true, and decide nothing.
    discarded        told, in the same transaction, the payloads of jobs that are dropped unfinished…
    revived          …or run again.
    cancellable      False: what runs is too short to be cut, and ends as it ends.
    purged_with      the purge that deletes its dead jobs together with what they belong to; None: `dead_jobs`.
    open             users may enqueue it by schedules of their own, with any payload: `perform` checks that itself.
    timeout_seconds  of one attempt; None: `perform` always ends in time by itself.
    """

    name: str
    queue: str
    perform: Perform | None = None
    load: Load | None = None
    record: Record | None = None
    recorded: Recorded | None = None
    late: Record | None = None
    discarded: Chosen | None = None
    revived: Chosen | None = None
    cancellable: bool = True
    purged_with: str | None = None
    open: bool = False
    max_attempts: int = 8
    timeout_seconds: float | None = 60.0
    backoff: RetryPolicy = DOUBLING
    isolated: Isolation | None = None

    def __post_init__(self) -> None:
        if (self.perform is None) == (self.isolated is None):
            raise ValueError(f"{self.name} is performed here or isolated, one of them")
        if self.isolated is not None and self.timeout_seconds is None:
            raise ValueError(f"{self.name} is isolated: its time must be limited")

    def performed_by(self, isolator: Isolator) -> JobKind:
        """Performs an isolated kind in a runner; the isolator enforces the time limit."""

        async def perform(job: Job, _: Any) -> Outcome:
            return await isolator.perform(self, job)

        return replace(self, perform=perform, isolated=None, timeout_seconds=None)


def by_name(kinds: Sequence[JobKind]) -> Mapping[str, JobKind]:
    """Returns kinds by name. Raises ValueError for two kinds of one name, or a queue with isolated and other kinds."""
    named: dict[str, JobKind] = {}
    for kind in kinds:
        if kind.name in named:
            raise ValueError(f"two job kinds are called {kind.name!r}")
        named[kind.name] = kind
    isolated = {kind.queue for kind in kinds if kind.isolated is not None}
    if mixed := isolated & {kind.queue for kind in kinds if kind.isolated is None}:
        raise ValueError(f"queues of isolated kinds and others: {', '.join(sorted(mixed))}")
    return named
