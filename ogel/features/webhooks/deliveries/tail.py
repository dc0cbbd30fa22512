"""Attempts as they are recorded, each once and none left out, however late its transaction commits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from ogel.features.webhooks.deliveries.delivery import DeliveryStatus, Outcome
from ogel.runtime.database.database import Database, Queries
from ogel.runtime.database.settled import settled_until
from ogel.runtime.outbox import EVENTS

_SQL = Queries.beside(__name__, events=EVENTS)

PAGE = 500
# A page sorts what was recorded in this time: little where much was, much where little was.
FIRST_STEP, LAST_STEP = timedelta(seconds=5), timedelta(hours=1)


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


class _Place(NamedTuple):
    """In the order of being recorded."""

    at: datetime
    delivery: str = ""
    number: int = 0


class Tail:
    """
    Rows carry the time their transaction began at, and are seen when it has ended. So every look goes back to the
    beginning of the oldest transaction that was open at the look before, and leaves out what has been told already.
    """

    def __init__(
        self,
        database: Database,
        since: datetime,
        webhook: str | None = None,
        outcomes: Sequence[Outcome] | None = None,
    ) -> None:
        self._database = database
        self._settled = _Place(since)
        self._webhook = webhook
        self._outcomes = list(outcomes) if outcomes else None
        self._told: set[_Place] = set()

    async def look(self) -> AsyncIterator[Sequence[RecordedAttempt]]:
        """What is new since the last look, in pages. A look that is broken off is begun again by the next."""
        async with self._database.autocommit() as tx:
            # Before the rows are read: what commits in between is seen, and told once.
            since, now = await settled_until(tx)
        settled = max(self._settled, _Place(since))
        place, step = self._settled, FIRST_STEP
        while place.at <= now:
            before = place.at + step
            page = await self._page(place, before)
            new = [attempt for attempt in page if _place(attempt) not in self._told]
            self._told.update(told for told in map(_place, new) if told > settled)
            if new:
                yield new
            if len(page) < PAGE:
                place, step = _Place(before), min(2 * step, LAST_STEP)
            else:
                place, step = _place(page[-1]), FIRST_STEP
        self._settled = settled
        self._told = {told for told in self._told if told > settled}

    async def _page(self, after: _Place, before: datetime) -> Sequence[RecordedAttempt]:
        parameters = {
            "after_at": after.at,
            "after_id": after.delivery,
            "after_number": after.number,
            "before": before,
            "webhook": self._webhook,
            "outcomes": self._outcomes,
            "limit": PAGE,
        }
        async with self._database.autocommit() as tx:
            rows = await tx.tuples(_SQL.recorded_attempts, parameters)
        return [RecordedAttempt(*row) for row in rows]


def _place(attempt: RecordedAttempt) -> _Place:
    return _Place(attempt.recorded_at, attempt.delivery, attempt.number)
