"""A replay: as callers ask for it and read it, and its rows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from ogel.features.webhooks.endpoints.endpoint import Globs
from ogel.runtime.http.route import Timestamp

Only = Literal["failed", "missing", "all"]
ReplayStatus = Literal["running", "paused", "cancelled", "completed"]
PerSecond = Annotated[
    int,
    Meta(ge=1, le=1000, description="Deliveries at most; without it, as fast as the endpoint takes them."),
]


class NewReplay(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Of events published from `since` to `until` (now, when left out or yet to come), both included, whose type fits
    `events`: the deliveries that `failed` for good; the events that the endpoint listens to now and that are `missing`
    a delivery, such as those from before it was there; or `all`, which is both, and what was delivered or cancelled as
    well. With `dry_run` they are only counted.
    """

    since: Timestamp
    until: Timestamp | None = None
    only: Only = "failed"
    events: Globs | None = None
    per_second: PerSecond | None = None
    dry_run: bool = False


class Replay(Struct, frozen=True):
    """
    `completed` once everything is handed to delivery; from then on deliveries go their usual way, retries included.
    `total` is what was found when it began, null until that is counted: in the end `replayed` and `skipped`, which
    were under way already. `reached` is the time of the last event looked at. A replay that paused by itself has an
    `error`.
    """

    id: str
    webhook: str
    since: datetime
    until: datetime
    only: Only
    events: list[str]
    status: ReplayStatus
    total: int | None
    replayed: int
    skipped: int
    per_second: int | None
    reached: datetime
    error: str | None
    created_at: datetime
    finished_at: datetime | None


class DryRun(Struct, frozen=True):
    """
    `count` deliveries would be replayed now; `skipped` are under way already. When not `complete` there are more, and
    counting them all would take too long for a response.
    """

    count: int
    skipped: int
    complete: bool
    webhook: str
    since: datetime
    until: datetime
    only: Only
    events: list[str]


class ReplayCursor(NamedTuple):
    """Up to which event, in the order of (created_at, id); where only failures are walked, up to which delivery."""

    at: datetime
    id: str


class Range(Struct, frozen=True):
    """What a replay covers. Events after `asked_at` are not part of it."""

    webhook_id: str
    since: datetime
    until: datetime
    only: Only
    event_globs: list[str]
    event_likes: list[str]
    asked_at: datetime


class ReplayTarget(NamedTuple):
    """What an endpoint listens to, and the order of its deliveries."""

    event_likes: list[str]
    filter: str | None
    ordered_by: str | None


class Tally(NamedTuple):
    """Counted up to `cursor`; `complete` means up to the end."""

    cursor: ReplayCursor
    replayable: int = 0
    pending: int = 0
    complete: bool = False

    @property
    def total(self) -> int:
        return self.replayable + self.pending


class ReplayProgress(Struct, frozen=True):
    """
    A replay as its jobs see it. `waits` is the number of steps in a row that found too many deliveries waiting for the
    endpoint.
    """

    range: Range
    per_second: int | None
    waits: int
    cursor: ReplayCursor
    tally: Tally


class FoundEvent(NamedTuple):
    """An event to deliver, for the first time or again; `data` is read only when a filter needs it."""

    event_id: str
    type: str
    subject: str | None
    created_at: datetime
    delivery_id: str | None
    is_pending: bool
    data: str | None
