"""The settings of queues and jobs."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import knob, real, whole


@dataclass(frozen=True, slots=True)
class JobsSettings:
    dead_retention_days: float = knob(
        "OGEL_DEAD_JOB_RETENTION_DAYS",
        takes=real(0.01, 3650, "days"),
        default=30.0,
        meaning="Dead jobs older than this are deleted; those of deliveries go with their delivery.",
    )
    alert_queue_seconds: float = knob(
        "OGEL_ALERT_QUEUE_SECONDS",
        takes=real(1, 30 * 86400, "seconds"),
        default=300.0,
        meaning="Alert when a job has been due for longer, though nothing but workers holds it back.",
    )
    alert_dead_jobs: int = knob(
        "OGEL_ALERT_DEAD_JOBS",
        takes=whole(0, 10**9),
        default=100,
        meaning="Alert when a queue has more dead jobs.",
    )
