"""Attempts in the order they are recorded, for whoever follows them: each is seen, however late it commits."""

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

# A page sorts what was recorded in this time: little where much was, much where little was.
FIRST_STEP, LAST_STEP = timedelta(seconds=5), timedelta(hours=1)
# For one page; where nothing was recorded for longer, the next one goes on.
MOST_STEPS = 100


class RecordedAttempt(Struct, frozen=True):
    """An attempt, and where its delivery stands by now. `unknown` may be told again, once it is known."""

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
    Oldest first. With `next` there may be more, even behind an empty page. Whoever follows asks again without `after`
    and since the `settled_at` of the first page, and leaves out what was told: before that, nothing can appear any
    more.
    """

    items: list[RecordedAttempt]
    next: str | None
    settled_at: Timestamp


class TailCursor(NamedTuple):
    """In the order of being recorded."""

    at: Timestamp
    delivery: str = ""
    number: int = 0


class FoundAttempts(NamedTuple):
    """`next`: where to go on; None at the end."""

    attempts: Sequence[RecordedAttempt]
    next: TailCursor | None
    settled_at: datetime


class Recorded:
    """
    Rows carry the time their transaction began at, and are seen when it has ended: so every answer says since when the
    oldest transaction has been open.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, start: TailCursor, webhook: str | None, outcomes: Sequence[Outcome] | None, limit: int
    ) -> FoundAttempts:
        async with self._database.autocommit() as tx:
            # Before the rows are read: what commits in between is seen, and told once.
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
