"""Work read for a batch of attempts, and their results written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.webhooks.sending.work import AttemptResult, Settled, Work
from ogel.kernel.event import Event
from ogel.runtime.database import Queries, Session, records

_SQL = Queries.beside(__name__)


class SendingStore:
    async def load_work(self, tx: Session, delivery_ids: Sequence[str]) -> dict[str, Work]:
        rows = await tx.tuples(_SQL.load_work, {"ids": list(delivery_ids)})
        return {row[0]: _work(row) for row in rows}

    async def record(
        self, tx: Session, attempts: Sequence[AttemptResult], settled: Sequence[Settled]
    ) -> None:
        await tx.execute(_SQL.record, {"attempts": records(attempts), "settled": records(settled)})


def _work(row: tuple[Any, ...]) -> Work:
    delivery_id, event_id, type, data, subject, created_at, *rest = row
    return Work(delivery_id, Event(event_id, type, data.encode(), subject, created_at), *rest)
