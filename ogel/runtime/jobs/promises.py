"""Jobs that are claimed by the statement that writes them, when a runner of this process has promised to take them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

import msgspec

from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import Job, NewJob


class LeaseSlot(NamedTuple):
    """
    lease_id, lease_seconds  what the job may be written with.
    place                    it would be this one of its key in flight: it is taken unless the key's limit is lower.
    """

    lease_id: str
    lease_seconds: float
    place: int


class Claimed(NamedTuple):
    """A job as it will stand in the table, if it is written."""

    job: Job
    place: LeaseSlot


def claimed(new: NewJob, max_attempts: int, place: LeaseSlot) -> Claimed:
    payload = msgspec.json.decode(
        msgspec.json.encode(new.payload)
    )  # the round trip through JSON gives what the table would
    now = utc_now()
    job = Job(
        new.id,
        new.kind,
        payload,
        new.priority,
        new.key,
        new.order_key,
        1,
        max_attempts,
        place.lease_id,
        now,
        now,
        None,
    )
    return Claimed(job, place)


class Promise:
    """Reserves slots of a runner until it is kept, which happens once."""

    def __init__(self, held: Sequence[Claimed], keep: Callable[[Sequence[Job], Sequence[Job]], None]) -> None:
        self.held = held
        self._keep = keep

    def keep(self, written: Collection[str]) -> None:
        """Starts the jobs with these ids; the slots of the others become free."""
        jobs = [each.job for each in self.held]
        self._keep([job for job in jobs if job.id in written], [job for job in jobs if job.id not in written])


class Promising(Protocol):
    def promise(self, queue: str, jobs: Sequence[NewJob]) -> Promise | None:
        """Returns None when the jobs have to wait their turn like any others."""


class NoRunner:
    def promise(self, queue: str, jobs: Sequence[NewJob]) -> Promise | None:
        return None


class Promises:
    """The promises for the jobs of one statement, kept when its transaction has ended."""

    def __init__(self, made: Sequence[Promise]) -> None:
        self._made = made
        self.places = {each.job.id: each.place for promise in made for each in promise.held}
        self.written: set[str] = set()

    def end(self, committed: bool) -> None:
        for promise in self._made:
            promise.keep(self.written if committed else ())
