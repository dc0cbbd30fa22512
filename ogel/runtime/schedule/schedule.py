"""A schedule, declared by a feature or created by a user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ogel.kernel.text import pattern
from ogel.runtime.schedule.cron import Cron, cron

# Declared names contain dots and no dashes; those of users (SLUG_PATTERN) contain dashes and no dots. So they cannot
# collide, and the clock can write a dot as a dash.
_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
SLUG_PATTERN = pattern(
    r"^[a-z0-9_]+(-[a-z0-9_]+)*(?!\n)$", "a slug: a-z, 0-9, _ and single dashes between them"
)
_SLUG = re.compile(SLUG_PATTERN)
NAME_LENGTH = 64


class ScheduledEvent(Struct, frozen=True):
    """The event that is published at each tick; `data` is JSON text."""

    type: str
    data: bytes
    subject: str | None = None


class Schedule(Struct, frozen=True):
    """
    name      letters, digits and underscores in parts joined by dots ("retention.purge"); outlives the code.
    cron      as runtime/schedule/cron.py takes it; in UTC unless `timezone` says otherwise.
    kind      the JobKind to enqueue; or none, and an `event` to publish.
    payload   what each job gets, besides its `tick` (RFC 3339) and its `late_seconds`.
    enabled   False: it has no ticks; it can be run by hand.
    id        of one that a user made: its name is a slug.
    queue     of one that a user made: that of `kind`, should nothing here know that any more.

    ValueError when any of it cannot be used, or the expression never comes true.
    """

    name: str
    cron: str
    kind: str | None = None
    description: str = ""
    payload: Mapping[str, Any] = {}
    event: ScheduledEvent | None = None
    timezone: str = "UTC"
    enabled: bool = True
    id: str | None = None
    queue: str | None = None

    def __post_init__(self) -> None:
        shape, words = (_NAME, "dots") if self.id is None else (_SLUG, "dashes")
        if len(self.name) > NAME_LENGTH or not shape.fullmatch(self.name):
            raise ValueError(
                f"schedule name {self.name!r} is not made of a-z, 0-9, _ and {words} between them"
            )
        if (self.kind is None) == (self.event is None):
            raise ValueError(f"schedule {self.name!r} needs a kind or an event, and not both")
        try:
            _ = self.ticks
        except ValueError as error:
            raise ValueError(f"schedule {self.name!r}: {error}") from error

    @property
    def ticks(self) -> Cron:
        return cron(self.cron, self.timezone)
