"""The job that forgets a listener, as it is enqueued with one."""

from __future__ import annotations

from datetime import timedelta

from ogel.features.webhooks.listeners.handover import FORGET_SECONDS
from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import NewJob

FORGET = "webhooks.forget_listener"


def forget_job(webhook_id: str) -> NewJob:
    at = utc_now() + timedelta(seconds=FORGET_SECONDS)
    return NewJob(FORGET, {"webhook": webhook_id}, dedupe_key=f"{FORGET}:{webhook_id}", scheduled_at=at)
