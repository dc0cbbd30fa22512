"""
Attempts in the order in which they are recorded, for programs that follow them: none is missed, however late it
commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from ogel.features.webhooks.deliveries.delivery import DeliveryStatus, Outcome
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.database.settled import settled_until
from ogel.runtime.http.route import Timestamp
from ogel.runtime.outbox import EVENTS

_SQL = Queries.beside(__name__, events=EVENTS)

# The time range that one page sorts: short while many attempts are recorded, long while there are few.
FIRST_STEP, LAST_STEP = timedelta(seconds=5), timedelta(hours=1)
# The longest range of one page; after a longer gap the next page goes on.
MOST_STEPS = 100


class RecordedAttempt(Struct, frozen=True):
    """
    An attempt, and the present state of its delivery. An `unknown` attempt may appear again once its outcome is known.
    """

    recorded_at: datetime
    delivery: str
    number: int
    webhook: str
    event: str
    event_type: str
    outcome: Outcome
    reason: str | None
    detail: str | None
    response_status: int | None
    started_at: datetime
    duration_seconds: float | None
    delivery_status: DeliveryStatus
    next_attempt_at: datetime | None


class RecordedAttempts(Struct, frozen=True):
    """
    Oldest first. With `next` there may be more, even after an empty page. To follow attempts, ask again without
    `after` and with `since` set to the `settled_at` of the first page, and leave out attempts seen before: nothing
    older than `settled_at` can appear any more.
    """

    items: list[RecordedAttempt]
    next: str | None
    settled_at: Timestamp


class TailCursor(NamedTuple):
    """A position in the order in which attempts are recorded."""

    at: Timestamp
    delivery: str = ""
    number: int = 0


class FoundAttempts(NamedTuple):
    """`next` is where to go on; None at the end."""

    attempts: Sequence[RecordedAttempt]
    next: TailCursor | None
    settled_at: datetime


class Recorded:
    """
    Rows carry the time at which their transaction began, but are visible only when it has ended. So every answer says
    when the oldest open transaction began.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, start: TailCursor, webhook: str | None, outcomes: Sequence[Outcome] | None, limit: int
    ) -> FoundAttempts:
        async with self._database.autocommit() as tx:
            # Read before the rows, so that transactions that commit in between are not missed.
            settled, now = await settled_until(tx)
        place, step = start, FIRST_STEP
        found: list[RecordedAttempt] = []
        for _ in range(MOST_STEPS):
            if place.at > now:
                return FoundAttempts(found, None, settled)
            before, wanted = place.at + step, limit - len(found)
            rows = await self._between(place, before, webhook, outcomes, wanted)
            found += rows
            if len(rows) == wanted:
                return FoundAttempts(found, _place(found[-1]), settled)
            place, step = TailCursor(before), min(2 * step, LAST_STEP)
        return FoundAttempts(found, place, settled)

    async def _between(
        self,
        after: TailCursor,
        before: datetime,
        webhook: str | None,
        outcomes: Sequence[Outcome] | None,
        limit: int,
    ) -> Sequence[RecordedAttempt]:
        parameters = {
            "after_at": after.at,
            "after_id": after.delivery,
            "after_number": after.number,
            "before": before,
            "webhook": webhook,
            "outcomes": list(outcomes) if outcomes else None,
            "limit": limit,
        }
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(_SQL.recorded_attempts, parameters)
        return [RecordedAttempt(*row) for row in rows]


def _place(attempt: RecordedAttempt) -> TailCursor:
    return TailCursor(attempt.recorded_at, attempt.delivery, attempt.number)
