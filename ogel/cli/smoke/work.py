"""Whether anybody does the work: clocks that tick, and queues that are served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from ogel.cli.smoke.asking import Deadline, Suite, until
from ogel.cli.smoke.problem import Problem
from ogel.cli.times import absolute
from ogel.kernel.clock import utc_now
from ogel.runtime.schedule.cron import cron

# A tick that is late by more than this is missed: the scheduler looks more often than once a minute.
LATE = timedelta(seconds=150)


class _Schedule(msgspec.Struct):
    name: str
    built_in: bool
    cron: str
    timezone: str
    enabled: bool
    last_tick_at: datetime | None
    next_tick_at: datetime | None


class _Queue(msgspec.Struct):
    name: str
    paused_at: datetime | None
    workers: list[str] | None


def schedules(suite: Suite, since: datetime | None, patience: Deadline) -> str:
    """`since`: when the suite may have been started; None: that is not known."""
    return until(patience, lambda: _ticking(suite, since))


def _ticking(suite: Suite, since: datetime | None) -> str:
    found = [
        each
        for each in suite.listed("schedules", "/api/schedules", _Schedule)
        if each.built_in and each.enabled
    ]
    if not found:
        raise Problem("schedules", "none is registered")
    ticked = max((each.last_tick_at for each in found if each.last_tick_at is not None), default=None)
    due, name = max((_due(each), each.name) for each in found)
    # What never ticked may be as new as the process that answers.
    if due > (ticked or since or due):
        last = "there was none yet" if ticked is None else f"the last tick was at {absolute(ticked)}"
        raise Problem("schedules", f"the clock stands: {name} was due at {absolute(due)}, and {last}")
    if ticked is not None:
        return f"{len(found)} registered, the last tick at {absolute(ticked)}"
    first = min((each.next_tick_at for each in found if each.next_tick_at is not None), default=None)
    when = "" if first is None else f", the first is due at {absolute(first)}"
    return f"{len(found)} registered; none has been due yet{when}"


def _due(schedule: _Schedule) -> datetime:
    """When it must have ticked for the last time."""
    try:
        return cron(schedule.cron, schedule.timezone).last_tick(utc_now() - LATE)
    except ValueError:  # of a version that writes them otherwise
        return datetime.min.replace(tzinfo=UTC)


def queues(suite: Suite, patience: Deadline) -> str:
    return until(patience, lambda: _served(suite))


def _served(suite: Suite) -> str:
    found = [*suite.listed("queues", "/api/queues", _Queue)]
    if any(each.workers is None for each in found):
        raise Problem("queues", "Redis, which knows the workers, is away")
    alone = [each.name for each in found if not each.workers]
    if alone:
        raise Problem("queues", f"no live worker serves {', '.join(alone)}")
    paused = [each.name for each in found if each.paused_at is not None]
    note = f"; paused: {', '.join(paused)}" if paused else ""
    return f"{len(found)} queues are served{note}"
