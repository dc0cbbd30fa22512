"""The job that sends a delivery."""

from __future__ import annotations

from ogel.runtime.jobs.job import FIRST_ATTEMPT, NewJob, job_id_of

DELIVER = "webhooks.deliver"
# The queue of everything that sends.
QUEUE = "webhooks"


def delivery_job(
    delivery_id: str, webhook_id: str, *, order_key: str = "", priority: int = FIRST_ATTEMPT
) -> NewJob:
    return NewJob(
        DELIVER,
        {"delivery": delivery_id},
        key=webhook_id,
        order_key=order_key,
        priority=priority,
        id=job_id_of(delivery_id),
    )


def order_key(ordered_by: str | None, subject: str | None) -> str:
    """
    The key that puts deliveries of an endpoint in order; empty when they have no order, as for events without a
    subject.
    """
    return subject or "" if ordered_by == "subject" else ""
