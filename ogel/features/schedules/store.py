"""The schedules table as users see it: their own schedules, and the last run of every schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from ogel.features.schedules.schedule import Outcome
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.jobs.seen import JOBS
from ogel.runtime.schedule.schedule import Schedule

_SQL = Queries.beside(__name__, jobs=JOBS)


class Known(msgspec.Struct, frozen=True):
    """
    A row of the table. For a built-in schedule the definition comes from the code, whatever the row says, and only the
    name is known until a scheduler has stored it.
    """

    name: str
    id: str | None = None
    cron: str | None = None
    timezone: str = "UTC"
    description: str = ""
    enabled: bool = True
    event_type: str | None = None
    event_data: str | None = None
    event_subject: str | None = None
    job_kind: str | None = None
    job_payload: dict[str, Any] | None = None
    last_tick_at: datetime | None = None
    last_late_seconds: float | None = None
    last_job_id: str | None = None
    last_event_id: str | None = None
    last_error: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_outcome: Outcome | None = None
    last_words: str | None = None


class UserScheduleStore:
    async def change(self, tx: Transaction) -> None:
        """Must come first in a transaction that changes schedules of users."""
        await tx.execute(_SQL.change)

    async def count(self, tx: Transaction) -> int:
        count: int = await tx.value(_SQL.count)
        return count

    async def insert(
        self, tx: Transaction, schedule: Schedule, counted_from: datetime, next_tick_at: datetime | None
    ) -> bool:
        """Returns False when the name is taken."""
        return await tx.value(_SQL.insert, _columns(schedule, counted_from, next_tick_at)) is not None

    async def update(
        self,
        tx: Transaction,
        schedule: Schedule,
        counted_from: datetime | None,
        next_tick_at: datetime | None,
    ) -> None:
        await tx.execute(_SQL.update, _columns(schedule, counted_from, next_tick_at))

    async def delete(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.delete, {"id": id})

    async def known(
        self, tx: Transaction, names: Sequence[str], after: str | None = None, limit: int = 0
    ) -> dict[str, Known]:
        """Returns the rows with one of the `names`, and those of users after the name `after`."""
        parameters = {"names": list(names), "after": after, "limit": limit}
        return {row.name: row for row in await tx.all(_SQL.known, parameters, Known)}


def _columns(
    schedule: Schedule, counted_from: datetime | None, next_tick_at: datetime | None
) -> dict[str, Any]:
    event = schedule.event
    return {
        "id": schedule.id,
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "description": schedule.description,
        "enabled": schedule.enabled,
        "event_type": event and event.type,
        "event_data": event and event.data.decode(),
        "event_subject": event and event.subject,
        "job_kind": schedule.kind,
        "job_queue": schedule.queue,
        "job_payload": msgspec.json.encode(schedule.payload).decode() if schedule.kind else None,
        "counted_from": counted_from,
        "next_tick_at": next_tick_at,
    }
