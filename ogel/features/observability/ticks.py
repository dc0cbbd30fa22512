"""Ticks that a later one has superseded."""

from __future__ import annotations

from datetime import datetime, timedelta

from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import Job

OVERTAKEN = timedelta(minutes=2)


def is_overtaken(job: Job) -> bool:
    """
    For a schedule that is due every minute. Jobs that piled up while no worker was running would all see the same
    moment and count as a row of checks.
    """
    return utc_now() - datetime.fromisoformat(job.payload["tick"]) > OVERTAKEN
