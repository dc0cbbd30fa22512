"""A schedule as callers write and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from ogel.kernel.event import TYPE_PATTERN
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.schedule.schedule import NAME_LENGTH, SLUG_PATTERN

Name = Annotated[
    str,
    Meta(
        pattern=SLUG_PATTERN,
        max_length=NAME_LENGTH,
        description="A slug: a-z, 0-9, _ and single dashes between them. Names with dots are built in.",
        examples=["nightly-report"],
    ),
]
CronText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="Minute, hour, day of month, month, day of week; a sixth field is the second. Or `@hourly`, "
        "`@daily`, `@weekly`, `@monthly`, `@yearly`. A time of day that the clocks skip or show twice is one tick.",
        examples=["30 2 * * mon-fri"],
    ),
]
Zone = Annotated[
    str,
    Meta(min_length=1, max_length=64, description="IANA's name of a time zone.", examples=["Europe/Berlin"]),
]
Description = Annotated[str, Meta(max_length=500, pattern=STORABLE_PATTERN)]
Outcome = Literal["published", "waiting", "running", "done", "dead", "failed"]


class EventOfTick(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event that each tick publishes. `data` is any JSON; receivers get the text as it was sent."""

    type: Annotated[str, Meta(pattern=TYPE_PATTERN, max_length=128)]
    data: Raw = field(default_factory=lambda: Raw(b"null"))
    subject: Annotated[str, Meta(min_length=1, max_length=256, pattern=STORABLE_PATTERN)] | None = None


class JobOfTick(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The job that each tick enqueues, of a kind that users may enqueue. Its payload also gets `tick` and `late_seconds`,
    which replace members of these names in `payload`.
    """

    kind: Annotated[str, Meta(min_length=1, max_length=128, pattern=STORABLE_PATTERN)]
    payload: dict[str, Any] = field(default_factory=dict)


class NewSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Needs either an `event` or a `job`."""

    name: Name
    cron: CronText
    timezone: Zone = "UTC"
    event: EventOfTick | None = None
    job: JobOfTick | None = None
    enabled: bool = True
    description: Description = ""


class ScheduleChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Fields that are left out stay as they are. An `event` replaces a `job`, and a `job` replaces an `event`. Ticks
    missed before a change of cron or time zone, or during a pause, are not made up for.
    """

    cron: CronText | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    event: EventOfTick | UnsetType = UNSET
    job: JobOfTick | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class ScheduleInfo(Struct, frozen=True, kw_only=True):
    """
    A built-in schedule has no `id`; the setting OGEL_SCHEDULES changes it. `last_outcome` tells what became of the
    last run: its event was `published`, or its job is `waiting`, `running`, `done` (it left the queue) or `dead`.
    `failed` means that the run caused nothing; `last_error` says why. A paused schedule has no next ticks.
    """

    name: str
    id: str | None
    built_in: bool
    description: str
    cron: str
    timezone: str
    enabled: bool
    event: EventOfTick | None
    job: JobOfTick | None
    last_tick_at: datetime | None
    last_late_seconds: float | None
    last_job_id: str | None
    last_event_id: str | None
    last_outcome: Outcome | None
    last_error: str | None
    next_tick_at: datetime | None
    next_ticks: list[datetime]
    created_at: datetime | None
    updated_at: datetime | None


class StartedRun(Struct, frozen=True):
    """Either the id of the job or the id of the event that was made."""

    job: str | None
    event: str | None
