"""What workers perform: tell every listening process about new events."""

from __future__ import annotations

import random
from collections.abc import Sequence

import structlog

from ogel.features.realtime.store import recent_events
from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.runtime.database import Session
from ogel.runtime.jobs.job import DONE, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.outbox import Consequences
from ogel.runtime.realtime.broadcast import EVENTS, Broadcast
from ogel.runtime.realtime.message import pack

log = structlog.get_logger(__name__)

PUBLISH = "realtime.publish"
QUEUE = "realtime"
# One job per publishing transaction, or more when it has many events: a payload stays readable, a job short.
EVENTS_PER_JOB = 100
# Realtime is for now. What has waited longer (no worker, no Redis) would surprise those who listen, so it is
# dropped; who must not miss it has a webhook, or reads /api/events.
TOO_LATE_SECONDS = 300.0


class _Announcements(Consequences):
    """No deliveries to count: nobody knows who will be listening."""

    def jobs(self, new: Sequence[Event]) -> Sequence[NewJob]:
        ids = [event.id for event in new]
        parts = [ids[start : start + EVENTS_PER_JOB] for start in range(0, len(ids), EVENTS_PER_JOB)]
        return [NewJob(PUBLISH, {"event_ids": part}) for part in parts]


async def announce(tx: Session, events: Sequence[Event]) -> Consequences:
    """The outbox subscriber."""
    return _Announcements()


def publish_job(broadcast: Broadcast) -> JobKind:
    """Safe to repeat: listeners may then hear an event twice, with the same id."""

    async def perform(job: Job, payloads: Sequence[bytes]) -> Outcome:
        try:
            await broadcast.publish(EVENTS, payloads)
        except Unavailable as error:
            # `publish` has waited for Redis, and that paces us: in an outage the jobs in hand wait with it,
            # the others stay in Postgres.
            pause = random.uniform(1.0, 5.0)  # noqa: S311 - spreads load, guards nothing
            return Outcome("postpone", error.message, after_seconds=pause)
        return DONE

    return JobKind(PUBLISH, QUEUE, perform, load=_load, timeout_seconds=30.0)


async def _load(session: Session, jobs: Sequence[Job]) -> dict[str, list[bytes]]:
    """A job is left out, and so is done, when all its events are too old."""
    wanted = {job.id: job.payload["event_ids"] for job in jobs}
    ids = [id for part in wanted.values() for id in part]
    events = await recent_events(session, ids, TOO_LATE_SECONDS)
    if len(events) < len(ids):
        log.warning("realtime.too_late", events=len(ids) - len(events))
    found = {job_id: [pack(events[id]) for id in part if id in events] for job_id, part in wanted.items()}
    return {job_id: payloads for job_id, payloads in found.items() if payloads}
