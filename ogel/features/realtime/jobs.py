"""The job that broadcasts new events to all processes with connected clients."""

from __future__ import annotations

import random
from collections.abc import Sequence

import structlog

from ogel.features.realtime.store import announcing, recent_events
from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Transaction
from ogel.runtime.database.pieces import Piece
from ogel.runtime.jobs.job import DONE, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.outbox import Consequences
from ogel.runtime.realtime.broadcast import EVENTS, Broadcast
from ogel.runtime.realtime.message import pack

log = structlog.get_logger(__name__)

PUBLISH = "realtime.publish"
QUEUE = "realtime"
ATTEMPTS = 8
# The most events in a job: a publishing transaction with more makes several, which keeps payloads and jobs small.
EVENTS_PER_JOB = 100
# Events that waited longer than this (no worker, no Redis) are not broadcast, because clients expect current ones.
# Programs that must not miss any use a webhook, or read /api/events.
TOO_LATE_SECONDS = 300.0


class _Announcements(Consequences):
    """
    Counts no deliveries, because the clients at broadcast time are unknown. Whether any client listens is checked
    last.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._ids = [event.id for event in events]

    def at_last(self) -> Sequence[Piece]:
        jobs = -(-len(self._ids) // EVENTS_PER_JOB)
        job_ids = [new_id("job") for _ in range(jobs)]
        return announcing(self._ids, job_ids, EVENTS_PER_JOB, PUBLISH, QUEUE, ATTEMPTS)


async def announce(_: Transaction, events: Sequence[Event]) -> Consequences:
    """The subscriber of the outbox."""
    return _Announcements(events)


def publish_job(broadcast: Broadcast) -> JobKind:
    """Safe to repeat: clients may then receive an event twice, with the same id."""

    async def perform(job: Job, payloads: Sequence[bytes]) -> Outcome:
        try:
            await broadcast.publish(EVENTS, payloads)
        except Unavailable as error:
            # `publish` waits for Redis, which limits the pace: in an outage the claimed jobs wait here,
            # the others stay in Postgres.
            pause = random.uniform(1.0, 5.0)  # noqa: S311 - spreads load, guards nothing
            return Outcome("postpone", error.message, after_seconds=pause)
        return DONE

    return JobKind(PUBLISH, QUEUE, perform, load=_load, timeout_seconds=30.0, max_attempts=ATTEMPTS)


async def _load(tx: Transaction, jobs: Sequence[Job]) -> dict[str, list[bytes]]:
    """Leaves out jobs whose events are all too old; these count as done."""
    wanted = {job.id: job.payload["event_ids"] for job in jobs}
    ids = [id for part in wanted.values() for id in part]
    events = await recent_events(tx, ids, TOO_LATE_SECONDS)
    if len(events) < len(ids):
        log.warning("realtime.too_late", events=len(ids) - len(events))
    found = {job_id: [pack(events[id]) for id in part if id in events] for job_id, part in wanted.items()}
    return {job_id: payloads for job_id, payloads in found.items() if payloads}
