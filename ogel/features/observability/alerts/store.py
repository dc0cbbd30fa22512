"""The alerts table."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.observability.alerts.rules import Alert
from ogel.runtime.database.database import Queries, Transaction, records

_SQL = Queries.beside(__name__)


class AlertStore:
    async def lock(self, tx: Transaction) -> None:
        await tx.execute(_SQL.lock)

    async def all(self, tx: Transaction) -> list[Alert]:
        return await tx.all(_SQL.all, None, Alert)

    async def write(self, tx: Transaction, alerts: Sequence[Alert]) -> None:
        await tx.execute(_SQL.write, {"rows": records(alerts)})

    async def forget(self, tx: Transaction, alerts: Sequence[Alert]) -> None:
        await tx.execute(_SQL.forget, {"rows": records(alerts)})
