"""`ogel …` with a feature of the tests' own, and less patience with memory; started with `-m`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import ogel.platform
from ogel.cli import main
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.isolation import Isolation
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.lazy import LazyFeature
from ogel.runtime.process import memory

MODULE = "tests.support.trial_process"
ISOLATED, GROWING = "trial-isolated", "trial-growing"
KINDS = [JobKind("trial.hold", ISOLATED, isolated=Isolation("tests.support.isolated:hold"))]

_kept: list[bytes] = []


async def grow(job: Job, _: object) -> None:
    """Takes memory for good, and then its time: it must end, and be noted, before the process goes."""
    _kept.append(b"x" * job.payload["bytes"])
    await asyncio.sleep(job.payload["seconds"])
    await asyncio.to_thread(note, job)


def note(job: Job) -> None:
    with Path(job.payload["notes"]).open("a") as notes:
        notes.write(f"{job.payload['n']}\n")


class TrialPlatform(ogel.platform.Platform):
    def _parts_about_others(self) -> list[LazyFeature]:
        growing = JobKind("trial.grow", GROWING, grow)
        trial = LazyFeature(
            "trial", lambda: Feature(name="trial", jobs=[*KINDS, growing]), [ISOLATED, GROWING]
        )
        return [*super()._parts_about_others(), trial]


if __name__ == "__main__":
    memory.LOOK_SECONDS, memory.LEAST_SECONDS = 0.1, 0.5
    ogel.platform.Platform = TrialPlatform  # type: ignore[misc]
    main()
