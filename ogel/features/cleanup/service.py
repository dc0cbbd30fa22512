"""Purges as an operator sees them: retention, schedule, number of due rows and last run; and running one now."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from ogel.features.cleanup.counting import count
from ogel.features.cleanup.jobs import PURGE
from ogel.features.cleanup.store import Counted, PurgeRun, RunStore
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.purge import Purge

# The time to count the due rows of all purges, one after another, while the caller waits.
LIST_SECONDS = 3.0


class PurgeInfo(msgspec.Struct, frozen=True):
    """
    `due` is the number of rows older than the retention; there may be more if `due_is_least`. `cron` is in UTC; null
    means that the purge only runs when it is asked to.
    """

    kind: str
    deletes: str
    retention_days: float
    cron: str | None
    due: int
    due_is_least: bool
    last_run: PurgeRun | None


class Due(msgspec.Struct, frozen=True):
    """
    The number of rows that a dry run found, or that a run begins with; there may be more if `due_is_least`. `job`
    performs the run.
    """

    kind: str
    before: datetime
    due: int
    due_is_least: bool
    job: str | None


class CleanupService:
    def __init__(
        self,
        database: Database,
        store: RunStore,
        jobs: JobQueue,
        audit: AuditTrail,
        purges: Mapping[str, Purge],
        crons: Mapping[str, str],
    ) -> None:
        """`crons` maps purges to the expressions of their schedules; purges without a schedule are left out."""
        self._database = database
        self._store = store
        self._jobs = jobs
        self._audit = audit
        self._purges = purges
        self._crons = crons

    async def list(self) -> list[PurgeInfo]:
        """Sorted by name. A count that LIST_SECONDS do not suffice for is shown as 0 or more."""
        async with self._database.autocommit() as tx:
            runs = await self._store.runs(tx, list(self._purges))
        found, ends_at = [], time.monotonic() + LIST_SECONDS
        for name, purge in sorted(self._purges.items()):
            due = await self._count(purge, _before(purge), ends_at - time.monotonic())
            last_run, cron = runs.get(name), self._crons.get(name)
            found.append(PurgeInfo(name, purge.deletes, purge.retention_days, cron, *due, last_run=last_run))
        return found

    async def last_run(self, kind: str) -> PurgeRun | None:
        async with self._database.autocommit() as tx:
            return (await self._store.runs(tx, [kind])).get(kind)

    async def dry_run(self, kind: str, before: datetime | None = None) -> Due:
        """
        Counts what `run` would delete. Raises NotFound for an unknown purge, Invalid for a time that is too recent.
        """
        purge = self._purge(kind)
        before = _limit(purge, before)
        return Due(kind, before, *await self._count(purge, before), job=None)

    async def run(self, caller: Caller, kind: str, before: datetime | None = None) -> Due:
        """
        Deletes what is older than `before`, or than the retention. Raises what `dry_run` does, and Conflict while a
        run is under way.
        """
        purge = self._purge(kind)
        before = _limit(purge, before)
        job = NewJob(PURGE, {"what": kind}, dedupe_key=f"{PURGE}:{kind}")
        due = await self._count(purge, before)
        async with self._database.transaction() as tx:
            written = await self._jobs.enqueue(tx, [job])
            if not written or not await self._store.begin(tx, kind, job.id, before, due):
                raise Conflict(f"A run of {kind!r} is under way.")
            metadata = {"before": before.isoformat(), "due": due.number, "job": job.id}
            await self._audit.record(tx, caller, "cleanup.run", "purge", kind, metadata)
        return Due(kind, before, *due, job=job.id)

    async def _count(self, purge: Purge, before: datetime, seconds: float = math.inf) -> Counted:
        return await count(self._database, self._store, purge, before, seconds)

    def _purge(self, kind: str) -> Purge:
        try:
            return self._purges[kind]
        except KeyError:
            names = ", ".join(sorted(self._purges))
            raise NotFound(f"Nothing is purged as {kind!r}; there are {names}.") from None


def _limit(purge: Purge, wanted: datetime | None) -> datetime:
    limit = _before(purge)
    if wanted is None:
        return limit
    # The caller calculated the time a moment ago.
    if purge.is_firm and wanted > limit + timedelta(minutes=1):
        keeps = f"must not be less than {purge.retention_days:g} days: so long {purge.name} are kept, whoever asks"
        raise Invalid.field("body.older_than_days", keeps)
    return wanted


def _before(purge: Purge) -> datetime:
    return utc_now() - timedelta(days=purge.retention_days)
