"""Ticks that another has overtaken."""

from __future__ import annotations

from datetime import datetime, timedelta

from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import Job

OVERTAKEN = timedelta(minutes=2)


def is_overtaken(job: Job) -> bool:
    """
    Of a schedule that is due every minute. Jobs that gathered while no worker was there would all look at the same
    moment, and be taken for a row of checks.
    """
    return utc_now() - datetime.fromisoformat(job.payload["tick"]) > OVERTAKEN
