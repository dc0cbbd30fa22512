"""Jobs that hold on in a process of their own, and jobs that take memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.isolation import Isolation
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.kind import JobKind

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


def build(core: Core, _: None) -> Feature:
    return Feature(name="trial", jobs=[*KINDS, JobKind("trial.grow", GROWING, grow)])
