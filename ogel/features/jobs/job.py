"""A job and a queue as operators see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from ogel.runtime.jobs.pressure import Level

JobStatus = Literal["pending", "running", "held", "dead", "done", "cancelled"]
# Of jobs that are over; these are kept only when whoever wrote them asked.
OVER = ("done", "cancelled")
# As the table has them: held ones are pending there.
UNFINISHED = ["pending", "running", "dead"]


class QueueInfo(Struct, frozen=True):
    """
    `depth` is what waits (pending and held); more than 10,000 are estimated. `level`: past its soft limit it is warned
    about, past its hard one nothing more is accepted for it. `workers` are RQ's names of live ones, null while Redis is
    away.
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
    """As the job itself reports it; `total` is null while nobody knows it."""

    done: float
    total: float | None = None
    note: str = ""


class JobInfo(Struct, frozen=True):
    """
    `cancelled_at`: it runs, and was asked to end. A job that is over, and was to be kept until `expires_at`, has its
    `result`, and nothing of what it was while it waited.
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
    """`cancelling`: it runs, and its worker stops it within seconds."""

    id: str
    status: Literal["cancelled", "cancelling"]


class Some(Struct, frozen=True):
    """How many jobs it was done to; `more`: there are others left, ask again."""

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
