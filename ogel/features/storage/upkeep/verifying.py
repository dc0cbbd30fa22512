"""The job that compares the store with what is known of it."""

from __future__ import annotations

from typing import Any

import msgspec

from ogel.features.storage.blobs.verify import Report, Verifier
from ogel.kernel.errors import Unavailable
from ogel.runtime.jobs.job import Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.progress import report

VERIFY = "storage.verify"
_MOST_SECONDS = 12 * 3600.0
# So long `GET /api/jobs/{id}` tells what was found.
_KEPT_SECONDS = 24 * 3600.0


def verify_job(*, fix: bool, sample: float) -> NewJob:
    """One at a time: it reads much."""
    payload = {"fix": fix, "sample": sample}
    return NewJob(VERIFY, payload, dedupe_key=VERIFY, keep_result_seconds=_KEPT_SECONDS)


class Verifying:
    """Its result is a Report."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def kind(self) -> JobKind:
        return JobKind(
            VERIFY, queue="cleanup", perform=self.perform, max_attempts=2, timeout_seconds=_MOST_SECONDS
        )

    async def perform(self, job: Job, loaded: Any) -> Outcome:
        fix, sample = job.payload["fix"], job.payload["sample"]
        try:
            found = await self._verifier.run(sample=sample, fix=fix, told=_told)
        except Unavailable as error:
            return Outcome("retry", error.message)
        return Outcome("done", result=msgspec.to_builtins(found))


async def _told(so_far: Report) -> None:
    wrong = sum(so_far.counts.values())
    report(so_far.done, 1.0, f"{so_far.blobs} blobs, {wrong} wrong")
