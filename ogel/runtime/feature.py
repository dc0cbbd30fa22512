"""The manifest: what a feature brings to the platform. `platform.py` lists the features, nothing scans for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ogel.runtime.http.route import Route
    from ogel.runtime.jobs.kind import JobKind
    from ogel.runtime.outbox import Subscriber
    from ogel.runtime.purge import Purge
    from ogel.runtime.schedule.schedule import Schedule
    from ogel.runtime.secrets.sealed import SealedColumn

# Asks the database for what some gauges show, and sets them; when Prometheus scrapes, and not often.
Measure = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Feature:
    """
    name         the folder's name, also the OpenAPI tag.
    routes       JSON over HTTP: a function that imports them, for processes that serve them.
    jobs         what workers perform.
    schedules    what the scheduler enqueues.
    subscribers  called inside the publishing transaction, for each batch of new events.
    sealed       columns that hold what the vault sealed, for `ogel secrets`.
    left_out     tables that backups leave out, with the reason; all others are in them.
    restored     statements that make sense of rows in a restored database: what was under way when they were copied.
    events       types of the events it publishes itself, each with when; users' events cannot have them.
    purges       what it forgets after a time; cleanup runs them, each by a schedule `cleanup.<name>`.
    """

    name: str
    routes: Callable[[], Sequence[Route]] = tuple
    jobs: Sequence[JobKind] = ()
    schedules: Sequence[Schedule] = ()
    subscribers: Sequence[Subscriber] = ()
    sealed: Sequence[SealedColumn] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    restored: Sequence[bytes] = ()
    events: Mapping[str, str] = field(default_factory=dict)
    purges: Sequence[Purge] = ()
