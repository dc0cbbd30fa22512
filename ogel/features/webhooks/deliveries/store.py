"""Reads deliveries and attempts, and changes a delivery's state by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogel.features.webhooks.deliveries.delivery import Delivery, DeliveryAttempt, Timings
from ogel.features.webhooks.deliveries.times import ids_since, ids_until
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.database.pieces import asking
from ogel.runtime.jobs.job import job_id_of
from ogel.runtime.jobs.seen import claims_of
from ogel.runtime.outbox import EVENTS

_SQL = Queries.beside(__name__, events=EVENTS)


class DeliveryStore:
    async def get(self, tx: Transaction, id: str) -> Delivery | None:
        return await tx.one(_SQL.get_delivery, {"id": id}, Delivery)

    async def list(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[Delivery]:
        ids = {"first_id": ids_since(filters["since"]), "last_id": ids_until(filters["until"])}
        return await tx.all(_SQL.list_deliveries, {**filters, **ids}, Delivery)

    async def unknown(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[str]:
        """Returns which of the filters `webhook` and `event` name something that does not exist."""
        return [name for (name,) in await tx.tuples(_SQL.unknown_of_filters, filters)]

    async def attempts(self, tx: Transaction, delivery_id: str) -> Sequence[DeliveryAttempt]:
        claims = claims_of(job_id_of(delivery_id))
        query = asking([claims], _SQL.list_attempts, {"delivery_id": delivery_id})
        return [_attempt(delivery_id, row) for row in await tx.tuples(*query)]

    async def listener(self, tx: Transaction, id: str) -> tuple[str | None, str | None] | None:
        """
        Returns the endpoint's order and the event's subject, and locks the endpoint until the commit. None when it is
        deleted.
        """
        found = await tx.tuples(_SQL.listener, {"id": id})
        return (found[0][0], found[0][1]) if found else None

    async def cancel(self, tx: Transaction, ids: Sequence[str]) -> None:
        """Deliveries that are finished are not changed."""
        await tx.execute(_SQL.cancel_deliveries, {"ids": list(ids)})

    async def reopen(self, tx: Transaction, ids: Sequence[str]) -> None:
        """Deliveries are tried again, whatever their state; attempts continue to be numbered."""
        await tx.execute(_SQL.reopen_deliveries, {"ids": list(ids)})


def _attempt(delivery_id: str, row: tuple[Any, ...]) -> DeliveryAttempt:
    """`number`, the other fields in their order, and the four timings."""
    id = f"att_{delivery_id.removeprefix('dlv_')}_{row[0]}"
    fields: tuple[Any, ...] = (*row[:-4], Timings(*row[-4:]))
    return DeliveryAttempt(id, *fields)
