"""The job that a delivery is sent by."""

from __future__ import annotations

from ogel.runtime.jobs.job import NewJob

DELIVER = "webhooks.deliver"


def delivery_job(delivery_id: str, webhook_id: str, max_in_flight: int, *, held: bool = False) -> NewJob:
    """A delivery has one job, whose id follows from its own: it can be found, and not exist twice."""
    return NewJob(
        DELIVER,
        {"delivery": delivery_id},
        key=webhook_id,
        key_limit=max_in_flight,
        held=held,
        id=job_id_of(delivery_id),
    )


def job_id_of(delivery_id: str) -> str:
    return "job_" + delivery_id.removeprefix("dlv_")
