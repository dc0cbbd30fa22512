"""The job that gives new events their places in the stream of events, and tells all processes with clients of them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from ogel.features.realtime.channels.names import EVENTS
from ogel.features.realtime.channels.store import NewPublication, publish
from ogel.features.realtime.store import announcing, events_of, unplaced
from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Transaction
from ogel.runtime.database.pieces import Piece
from ogel.runtime.jobs.job import DONE, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.outbox import Consequences
from ogel.runtime.realtime.broadcast import Broadcast
from ogel.runtime.realtime.message import pack
from ogel.runtime.realtime.publication import PUBLICATIONS, Publication, packed

log = structlog.get_logger(__name__)

PUBLISH = "realtime.publish"
QUEUE = "realtime"
ATTEMPTS = 8
# The most events in a job: a publishing transaction with more makes several, which keeps payloads and jobs small.
EVENTS_PER_JOB = 100
# Events that waited longer than this (no worker) are not told any more, because clients expect current ones. Programs
# that must not miss any use a webhook, or read /api/events.
TOO_LATE_SECONDS = 300.0
# Jobs that are looked at for that; only behind more of them would the order be another.
_MOST_WAITING = 500


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
    """Safe to repeat: an event keeps its first place, and processes know what they have told."""

    async def perform(job: Job, publications: Sequence[Publication]) -> Outcome:
        try:
            await broadcast.publish(PUBLICATIONS, [packed(each) for each in publications])
        except Unavailable as error:
            # They have their places: processes with clients find them there.
            log.warning("realtime.unsent", publications=len(publications), error=error.message)
        return DONE

    return JobKind(PUBLISH, QUEUE, perform, load=_load, timeout_seconds=30.0, max_attempts=ATTEMPTS)


async def _load(tx: Transaction, jobs: Sequence[Job]) -> dict[str, list[Publication]]:
    """
    Places the events of all jobs at once, in the order in which they were published: those of jobs before and between
    them, too, which another worker has and may not have come to. Leaves out jobs whose events are all too old; these
    count as done.
    """
    wanted = {job.id: job.payload["event_ids"] for job in sorted(jobs, key=lambda job: job.id)}
    waiting = await unplaced(tx, PUBLISH, list(wanted), _MOST_WAITING)
    mine = list(dict.fromkeys(id for part in wanted.values() for id in part))
    ids = list(dict.fromkeys([*waiting, *mine]))
    events = await events_of(tx, ids, TOO_LATE_SECONDS)
    if late := [id for id in mine if id not in events]:
        log.warning("realtime.too_late", events=len(late))
    placed = await _placed(tx, [events[id] for id in ids if id in events])
    found = {job_id: [placed[id] for id in part if id in placed] for job_id, part in wanted.items()}
    return {job_id: publications for job_id, publications in found.items() if publications}


async def _placed(tx: Transaction, events: Sequence[Event]) -> dict[str, Publication]:
    """By event id."""
    if not events:
        return {}
    items = [NewPublication(EVENTS, event_id=event.id, idempotency_key=event.id) for event in events]
    places = await publish(tx, items)
    return {
        event.id: Publication(
            EVENTS, place.epoch, place.offset, event.created_at, pack(event), event=event.type
        )
        for event, place in zip(events, places, strict=True)
    }
