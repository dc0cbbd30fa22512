"""A job and a queue as operators see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from ogel.runtime.jobs.pressure import Level

JobStatus = Literal["pending", "running", "held", "dead", "done", "cancelled"]
# The statuses of finished jobs, which are kept only when their producer asked for it.
OVER = ("done", "cancelled")
# The statuses in the table, where held jobs are pending.
UNFINISHED = ["pending", "running", "dead"]


class QueueInfo(Struct, frozen=True):
    """
    `depth` counts waiting jobs (pending and held); above 10,000 it is an estimate. `level`: past the soft limit of a
    queue there are warnings, past its hard limit no jobs are accepted. `workers` are RQ's names of the live workers,
    null while Redis is away.
    """

    name: str
    depth: int
    pending: int
    held: int
    running: int
    dead: int
    oldest_seconds: float
    paused_at: datetime | None
    level: Level
    workers: list[str] | None


class JobProgress(Struct, frozen=True):
    """Progress as the job itself reports it; `total` is null while it is unknown."""

    done: float
    total: float | None = None
    note: str = ""


class JobInfo(Struct, frozen=True):
    """
    `cancelled_at` is set when a running job was asked to stop. A finished job that is kept until `expires_at` has its
    `result`, but none of the fields that describe a waiting job.
    """

    id: str
    queue: str
    kind: str
    status: JobStatus
    attempts: int
    created_at: datetime
    priority: int | None = None
    key: str | None = None
    payload: dict[str, Any] | None = None
    max_attempts: int | None = None
    scheduled_at: datetime | None = None
    leased_until: datetime | None = None
    last_error: str | None = None
    finished_at: datetime | None = None
    cancelled_at: datetime | None = None
    progress: JobProgress | None = None
    result: Any = None
    expires_at: datetime | None = None


class CancelledJob(Struct, frozen=True):
    """`cancelling` means that the job runs; its worker stops it within seconds."""

    id: str
    status: Literal["cancelled", "cancelling"]


class Some(Struct, frozen=True):
    """The number of affected jobs. With `more` there are others left: send the request again."""

    jobs: int
    more: bool


class WorkerInfo(Struct, frozen=True):
    """An RQ worker as Redis knows it: one for each Ogel process that performs jobs."""

    name: str
    queues: list[str]
    host: str | None
    pid: int | None
    state: str | None
    started_at: datetime | None
    seen_at: datetime | None
