"""Deliveries and attempts, read; and a delivery's state changed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogel.features.webhooks.deliveries.delivery import Attempt, Delivery
from ogel.runtime.database import Queries, Session

_SQL = Queries.beside(__name__)


class DeliveryStore:
    async def get(self, session: Session, id: str) -> Delivery | None:
        return await session.one(_SQL.get_delivery, {"id": id}, Delivery)

    async def list(self, session: Session, filters: Mapping[str, Any]) -> Sequence[Delivery]:
        return await session.all(_SQL.list_deliveries, filters, Delivery)

    async def attempts(self, session: Session, delivery_id: str) -> Sequence[Attempt]:
        return await session.all(_SQL.list_attempts, {"delivery_id": delivery_id}, Attempt)

    async def cancel(self, tx: Session, id: str) -> None:
        """One that is over already stays as it is."""
        await tx.execute(_SQL.cancel_delivery, {"id": id})

    async def cancel_all(self, tx: Session, webhook_id: str) -> None:
        await tx.execute(_SQL.cancel_deliveries, {"webhook_id": webhook_id})

    async def reopen(self, tx: Session, id: str) -> None:
        await tx.execute(_SQL.reopen_delivery, {"id": id})
