"""A runner's statements on the job_queue table: claiming jobs for a limited time, renewing and releasing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database, Queries, records
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.shares import UNDIVIDED, Division
from ogel.runtime.jobs.store import DEFAULT_KEY_LIMIT

_SQL = Queries.beside(__name__)

CLAIM = _SQL.claim
# How many keys, and ordered pairs of keys, one claim looks at; the next claim goes on from there.
MOST_STEPS = 500
# Up to this many jobs, a claim can skip the look at everything.
FEW = 20
# Seconds until a key that another worker was claiming of is looked at again.
CONTENDED_SECONDS = 0.02


class _AboutClaim(msgspec.Struct, frozen=True):
    """
    seen           jobs that were due and might have been taken, as far as it looked.
    filled_one     a key got as many as it may have, or new keys together did.
    steps          keys and orders looked at; `last_step` is where that ended, `last_served` the last that got a job.
    was_contended  another worker was claiming of a key just then that all of them share the rate of.
    """

    seen: int
    filled_one: bool
    steps: int
    last_step: tuple[str, str] | None
    last_served: tuple[str, str] | None
    was_contended: bool
    opens_in: float | None


class ProgressNoted(msgspec.Struct, frozen=True):
    """A row of `note_progress`."""

    id: str
    lease_id: str
    progress: Any


class Claim(msgspec.Struct, frozen=True):
    """
    limits     the in-flight limit of each key claimed of, where one is set.
    saw_all    nothing more that may run was due when this was claimed.
    ends_lap   it came to the end of the keys; the next begins at the first.
    left_some  something due may not have been taken, for the batch's size or its key's room.
    opens_in   seconds until a key that may not run now may: paused for a time, out of tokens, or its breaker open.
    """

    jobs: Sequence[Job]
    limits: Mapping[str, int]
    saw_all: bool
    ends_lap: bool
    left_some: bool
    opens_in: float | None


class LeaseStore:
    """What one runner does with one queue: claim, renew, release."""

    def __init__(self, database: Database, queue: str, lease_seconds: float) -> None:
        self._database = database
        self._queue = queue
        self._lease_seconds = lease_seconds
        # The key and order after which the next claim continues, so that each gets its turn; None: from the start.
        self._after: tuple[str, str] | None = None

    async def claim_few(self, limit: int, division: Division) -> Claim | None:
        """
        Claims all due jobs if they are few and need no weighing, for a tenth of the cost. Returns None when `claim` has
        to look. Only valid while the last full look saw everything and left nothing, for this one sees only what is
        due.
        """
        few = min(limit, FEW, division.new_keys.together)
        if few <= 0:
            return None
        parameters = {**self._of_shares(division), **self._of_lease(), "queue": self._queue, "few": few}
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(_SQL.claim_few, parameters)
        if not rows[0][-1]:
            return None
        jobs, limits = _jobs_and_limits([row for row in rows if row[0] is not None])
        return Claim(jobs, limits, saw_all=True, ends_lap=True, left_some=False, opens_in=None)

    async def claim(
        self,
        limit: int,
        division: Division = UNDIVIDED,
        not_ids: Sequence[str] = (),
    ) -> Claim:
        """Claims jobs, none of them of `not_ids`."""
        after = self._after
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(CLAIM, self.parameters(limit, division, not_ids))
        about, rows = msgspec.convert(rows[0][-1], _AboutClaim), rows[1:]
        jobs, limits = _jobs_and_limits(rows)
        cut = about.seen >= limit
        self._after = about.last_served if cut else about.last_step if about.steps >= MOST_STEPS else None
        saw_all = after is None and self._after is None
        return Claim(
            jobs,
            limits,
            saw_all,
            ends_lap=self._after is None,
            left_some=not saw_all or about.filled_one,
            opens_in=_least(about.opens_in, CONTENDED_SECONDS if about.was_contended else None),
        )

    def parameters(self, limit: int, division: Division, not_ids: Sequence[str]) -> Mapping[str, Any]:
        """Returns the parameters of the statement `CLAIM`."""
        after_key, after_order = self._after or (None, None)
        return {
            **self._of_shares(division),
            **self._of_lease(),
            "queue": self._queue,
            "limit": limit,
            "after_key": after_key,
            "after_order": after_order,
            "most_steps": MOST_STEPS,
            "new_keys_together": division.new_keys.together,
            "not_ids": list(not_ids),
        }

    def _of_shares(self, division: Division) -> Mapping[str, Any]:
        return {
            "known_keys": [share.key for share in division.shares],
            "caps": [share.cap for share in division.shares],
            "busy": [share.busy for share in division.shares],
            "new_key_share": division.new_keys.share,
            "default_limit": DEFAULT_KEY_LIMIT,
        }

    def _of_lease(self) -> Mapping[str, Any]:
        return {"lease": new_id("lease"), "lease_seconds": self._lease_seconds}

    async def seconds_to_next(self) -> float | None:
        async with self._database.autocommit() as tx:
            seconds: float | None = await tx.value(_SQL.seconds_to_next, {"queue": self._queue})
        return seconds

    async def renew(self, jobs: Sequence[Job]) -> None:
        leases = list({job.lease_id for job in jobs})
        parameters = {"ids": [job.id for job in jobs], "leases": leases, "lease_seconds": self._lease_seconds}
        async with self._database.autocommit() as tx:
            await tx.execute(_SQL.renew, parameters)

    async def lost(self, jobs: Sequence[Job]) -> set[str]:
        """Returns the ids of jobs that another worker has taken over, or that are gone."""
        parameters = {"ids": [job.id for job in jobs], "leases": list({job.lease_id for job in jobs})}
        async with self._database.autocommit() as tx:
            return {id for (id,) in await tx.tuples(_SQL.lost_leases, parameters)}

    async def note_progress(self, notes: Sequence[ProgressNoted]) -> None:
        async with self._database.autocommit() as tx:
            parameters = {"rows": records(notes), "ids": [note.id for note in notes]}
            await tx.execute(_SQL.note_progress, parameters)

    async def cancelled(self, jobs: Sequence[Job]) -> set[str]:
        """Returns the ids of jobs that were asked to be cancelled."""
        leases = list({job.lease_id for job in jobs})
        async with self._database.autocommit() as tx:
            return {id for (id,) in await tx.tuples(_SQL.cancelled_among, {"leases": leases})}

    async def release(self, jobs: Sequence[Job]) -> None:
        """
        Gives back the unfinished jobs of a worker that stops: they are due at once, and this attempt does not count.
        """
        parameters = {"ids": [job.id for job in jobs], "leases": list({job.lease_id for job in jobs})}
        async with self._database.autocommit() as tx:
            await tx.execute(_SQL.release_jobs, parameters)


def _jobs_and_limits(rows: Sequence[tuple[Any, ...]]) -> tuple[Sequence[Job], Mapping[str, int]]:
    """Returns, from the rows of a claim, the jobs in the order they are due, and the limits of their keys."""
    jobs = sorted((Job(*row[:13]) for row in rows), key=lambda job: (job.priority, job.scheduled_at))
    return jobs, {row[4]: row[13] for row in rows if row[13] is not None}


def _least(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)
