"""The job that compares the store with what is known of it; what it finds is an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client import Gauge

from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Transaction
from ogel.runtime.jobs.job import Finished, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.progress import report
from ogel.runtime.schedule.schedule import Schedule

if TYPE_CHECKING:
    from ogel.features.storage.blobs.verify import Report
    from ogel.features.storage.services import Storage

VERIFY, INCONSISTENT = "storage.verify", "storage.inconsistent"
SCHEDULE = Schedule(
    VERIFY,
    cron="41 4 * * 0",
    kind=VERIFY,
    description="Compares the store with what is known of it, and changes nothing.",
    enabled=False,
)
_MOST_SECONDS = 12 * 3600.0
# So long `GET /api/jobs/{id}` tells what was found.
_KEPT_SECONDS = 24 * 3600.0
# Of an event.
_FINDINGS = 20


def verify_job(*, fix: bool, sample: float) -> NewJob:
    """One at a time: it reads much."""
    payload = {"fix": fix, "sample": sample}
    return NewJob(VERIFY, payload, dedupe_key=VERIFY, keep_result_seconds=_KEPT_SECONDS)


class Verifying:
    """The job kind `storage.verify`; its result is a Report."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._wrong = Gauge(
            "ogel_storage_inconsistencies",
            "What the last verification by this process left wrong, by kind.",
            ["kind"],
            registry=storage.core.registry,
        )

    def kind(self) -> JobKind:
        return JobKind(
            VERIFY,
            queue="cleanup",
            perform=self.perform,
            record=self.record,
            max_attempts=2,
            timeout_seconds=_MOST_SECONDS,
        )

    async def perform(self, job: Job, loaded: Any) -> Outcome:
        from ogel.features.storage.blobs.verify import FIXABLE

        fix, sample = job.payload.get("fix", False), job.payload.get("sample", 0.0)
        try:
            found = await self._storage.verifier.run(sample=sample, fix=fix, told=_told)
        except Unavailable as error:
            return Outcome("retry", error.message)
        self._wrong.clear()
        for kind, count in found.counts.items():
            self._wrong.labels(kind).set(0 if fix and kind in FIXABLE else count)
        return Outcome("done", value=found, result=msgspec.to_builtins(found))

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        reports = [each.outcome.value for each in finished if each.outcome.verdict == "done"]
        found = [_event(report) for report in reports if report.counts]
        await self._storage.core.outbox.publish(tx, found)


async def _told(so_far: Report) -> None:
    wrong = sum(so_far.counts.values())
    report(so_far.done, 1.0, f"{so_far.blobs} blobs, {wrong} wrong")


def _event(report: Report) -> Event:
    data = {"counts": report.counts, "fixed": report.fixed, "findings": report.findings[:_FINDINGS]}
    return Event(new_id("evt"), INCONSISTENT, msgspec.json.encode(data), None, utc_now())
