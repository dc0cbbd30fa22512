"""A schedule as a feature declares it, and the ticks of its cron expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

# No dash: the clock writes a name's dots as dashes, and two names must not become one.
_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_CRON = re.compile(r"[0-9A-Za-z*,/#-]+( [0-9A-Za-z*,/#-]+){4}")
# `H` and `R` stand for a number of croniter's choice: every process would count other ticks.
_CHOSEN_BY_CRONITER = re.compile(r"\b[HR]\b", re.IGNORECASE)
_MINUTE = timedelta(minutes=1)
# Any fixed moment would do: it only tells whether the expression has ticks at all.
_TRIAL = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    name     letters, digits and underscores in parts joined by dots ("retention.purge"); outlives the code.
    cron     minute, hour, day of month, month, day of week (crontab(5)), always in UTC.
    kind     the JobKind to enqueue.
    payload  what each job gets, besides its `tick` (RFC 3339).

    ValueError when the name or the cron expression cannot be used, or the expression never comes true.
    """

    name: str
    cron: str
    kind: str
    description: str
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.name) > 64 or not _NAME.fullmatch(self.name):
            raise ValueError(f"schedule name {self.name!r} is not made of a-z, 0-9, _ and dots between them")
        if not _CRON.fullmatch(self.cron) or _CHOSEN_BY_CRONITER.search(self.cron):
            raise ValueError(
                f"schedule {self.name!r}: cron {self.cron!r} is not five fields like '*/5 3 * * mon'"
            )
        try:
            self.next_tick(_TRIAL)
            self.last_tick(_TRIAL)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"schedule {self.name!r}: cron {self.cron!r} cannot be used: {error}") from error

    def next_tick(self, after: datetime) -> datetime:
        """The first tick later than `after`."""
        return self._tick(_to_the_minute(after), "get_next")

    def last_tick(self, until: datetime) -> datetime:
        """The last tick not later than `until`."""
        return self._tick(_to_the_minute(until) + _MINUTE, "get_prev")

    def _tick(self, start: datetime, direction: str) -> datetime:
        from croniter import croniter  # 30 ms, which a command that only prints help should not pay

        tick: datetime = getattr(croniter(self.cron, start), direction)(datetime)
        return tick.replace(tzinfo=UTC, fold=0)


def _to_the_minute(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
