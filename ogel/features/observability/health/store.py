"""The health_checks table."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.http.health import Status
from ogel.runtime.http.route import Timestamp

_SQL = Queries.beside(__name__)


class HealthCheck(Struct, frozen=True):
    checked_at: Timestamp
    status: Status
    checks: dict[str, bool]


class HealthCheckStore:
    async def lock(self, tx: Transaction) -> None:
        await tx.execute(_SQL.lock)

    async def last(self, tx: Transaction) -> HealthCheck | None:
        return await tx.one(_SQL.last, None, HealthCheck)

    async def insert(self, tx: Transaction, status: Status, checks: Mapping[str, bool]) -> None:
        await tx.execute(_SQL.insert, {"status": status, "checks": msgspec.json.encode(checks).decode()})

    async def list(self, tx: Transaction, filters: Mapping[str, object]) -> list[HealthCheck]:
        return await tx.all(_SQL.list, filters, HealthCheck)
