"""
Keys: limits, rates and breakers that claims apply to all jobs of one key. Each is one row, so no cost depends on how
many jobs wait.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ogel.runtime.database.database import Database, Queries, Transaction
from ogel.runtime.jobs.job import Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import DEFAULT_KEY_LIMIT, JobQueue

_SQL = Queries.beside(__name__)

DROP = "jobs.drop_key"
BATCH = 1_000


class Rate(Struct, frozen=True):
    """A rate limit: `per_second` over all workers together; `burst` at once after a quiet time."""

    per_second: float
    burst: int


class JobKeys:
    """All methods write in the caller's transaction; those that touch several keys lock them in their order."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    async def set(
        self, tx: Transaction, key: str, limit: int = DEFAULT_KEY_LIMIT, rate: Rate | None = None
    ) -> None:
        """`limit` is the number in flight at once, per worker process."""
        parameters = {
            "key": key,
            "limit": limit,
            "per_second": rate.per_second if rate else None,
            "burst": rate.burst if rate else None,
        }
        await tx.execute(_SQL.set_key, parameters)

    async def hold(self, tx: Transaction, key: str) -> None:
        """Stops claims until the key is released. Jobs in flight run to their end."""
        await tx.execute(_SQL.hold, {"key": key})

    async def release(self, tx: Transaction, queue: str, key: str) -> None:
        await tx.execute(_SQL.release, {"key": key})
        tx.ring(queue)

    async def slow(self, tx: Transaction, key: str, seconds: float) -> None:
        """Stops claims for so many seconds; never shortens an earlier stop."""
        await tx.execute(_SQL.slow, {"key": key, "seconds": seconds})

    async def trip(self, tx: Transaction, key: str, probe_seconds: float) -> None:
        """Opens the breaker: one job every `probe_seconds`, over all workers, due or not."""
        await tx.execute(_SQL.trip, {"key": key, "probe_seconds": probe_seconds})

    async def recover(self, tx: Transaction, queue: str, key: str) -> None:
        """Closes the breaker. Claims start slowly and are at full speed after 30 s."""
        await tx.execute(_SQL.recover, {"key": key})
        tx.ring(queue)

    async def wake_jobs(self, tx: Transaction, queue: str, key: str, limit: int) -> int:
        """Makes up to `limit` jobs that wait for a later time due now; returns how many."""
        woken = await tx.execute(_SQL.wake_jobs, {"queue": queue, "key": key, "limit": limit})
        tx.ring(queue)
        return woken

    async def wake(self, tx: Transaction, queue: str, key: str) -> None:
        """Ends the waits of a key whose jobs somebody asks for now: a breaker's interval and a requested pause."""
        await tx.execute(_SQL.wake_key, {"key": key})
        tx.ring(queue)

    async def drop(self, tx: Transaction, queue: str, key: str) -> None:
        """Drops a key, of which nothing is claimed any more. When very many jobs wait, a job discards the rest."""
        await self.hold(tx, key)
        if not await self.drop_batch(tx, queue, key):
            payload = {"queue": queue, "key": key}
            await self._jobs.enqueue(tx, [NewJob(DROP, payload, dedupe_key=f"{DROP}:{key}")])

    async def drop_batch(self, tx: Transaction, queue: str, key: str) -> bool:
        """Discards a batch. Returns whether nothing of the key is left."""
        dropped = await self._jobs.discard_of_key(tx, queue, key, BATCH)
        if dropped >= BATCH or await tx.value(_SQL.has_jobs, {"queue": queue, "key": key}):
            return False
        await tx.execute(_SQL.forget_key, {"key": key})
        return True


class DropKey:
    """The job kind `jobs.drop_key`."""

    def __init__(self, database: Database, keys: JobKeys) -> None:
        self._database = database
        self._keys = keys

    def kind(self, queue: str) -> JobKind:
        return JobKind(DROP, queue, self.perform)

    async def perform(self, job: Job, _: Any) -> Outcome | None:
        """Discards a batch at a time, and waits for jobs that are still running."""
        async with self._database.transaction() as tx:
            gone = await self._keys.drop_batch(tx, job.payload["queue"], job.payload["key"])
        return None if gone else Outcome("postpone", "some of its jobs are left", after_seconds=0.2)
