"""Reads due deliveries for a batch of attempts, and writes the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.webhooks.sending.due import DeliveryState, DueDelivery, LoggedAttempt, LostAttempt
from ogel.features.webhooks.sending.receiver import Receiver, Receivers
from ogel.kernel.event import Event
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.database.pieces import Piece, together
from ogel.runtime.outbox import EVENTS

_SQL = Queries.beside(__name__, events=EVENTS)


class AttemptStore:
    def __init__(self, receivers: Receivers) -> None:
        self._receivers = receivers

    async def load_work(self, tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, DueDelivery]:
        rows = await tx.tuples(_SQL.load_work, {"ids": list(delivery_ids)})
        receivers = await self._receivers.of(tx, {row[5]: row[6] for row in rows})
        return {row[0]: _work(row, receivers.get(row[5])) for row in rows}

    async def one_offs(self, tx: Transaction, delivery_ids: Sequence[str]) -> Sequence[str]:
        """Returns the deliveries whose endpoints exist for a test only."""
        return [id for (id,) in await tx.tuples(_SQL.one_offs, {"ids": list(delivery_ids)})]

    async def record(
        self, tx: Transaction, attempts: Sequence[LoggedAttempt], settled: Sequence[DeliveryState]
    ) -> None:
        """The attempts of a batch, and where each delivery stands after it."""
        pieces = [
            Piece("sent", _SQL.attempts, {"attempts": records(attempts)}),
            Piece("logged", _SQL.log_attempts, {}),
            Piece("stands", _SQL.standing, {"settled": records(settled)}),
            Piece("settled", _SQL.settle, {}, says=_SQL.nothing),
        ]
        await tx.execute(*together(pieces))

    def delivered(self, attempts: Sequence[LoggedAttempt]) -> Sequence[Piece]:
        """The same, in the statement that ends their jobs, where each attempt is its delivery's last."""
        return [
            Piece("given", _SQL.attempts, {"attempts": records(attempts)}),
            Piece("sent", _SQL.attempts_of_ended, {}),
            Piece("logged", _SQL.log_attempts, {}),
            Piece("stands", _SQL.delivered, {}),
            Piece("settled", _SQL.settle, {}),
        ]

    async def record_lost(self, tx: Transaction, attempts: Sequence[LostAttempt]) -> None:
        """Each gets the number that its delivery's next attempt would have had."""
        await tx.execute(_SQL.record_lost, {"attempts": records(attempts)})

    async def record_late(self, tx: Transaction, attempts: Sequence[LoggedAttempt]) -> None:
        """Corrects attempts that were taken for lost; this decides nothing about their deliveries any more."""
        ids = sorted({each.delivery_id for each in attempts})
        there = {id for (id,) in await tx.tuples(_SQL.lock_deliveries, {"ids": ids})}
        await self.record(tx, [each for each in attempts if each.delivery_id in there], [])


def _work(row: tuple[Any, ...], receiver: Receiver | None) -> DueDelivery:
    id, type, data, subject, created_at = row[8:]
    event = Event(id, type, data.encode(), subject, created_at)
    return DueDelivery(row[0], row[1], row[2], row[3], row[4], row[7], event, receiver)
