"""The webhook_health table, and disabling endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from ogel.features.webhooks.health.health import DisabledReason, EndpointHealth
from ogel.features.webhooks.health.rules import Ailing
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.database.pieces import asking
from ogel.runtime.jobs.seen import breakers_of, ramping_keys

_SQL = Queries.beside(__name__)


class Failures(Struct, frozen=True):
    """
    in_row  failures after the last sign of life among the attempts counted here.
    alive   there was such a sign.
    """

    webhook_id: str
    failures: int
    in_row: int
    alive: bool
    error: str


class Recovered(Struct, frozen=True):
    webhook_id: str
    was_open: bool
    failing_since: datetime


class EndpointHealthStore:
    async def failed(self, tx: Transaction, failures: Sequence[Failures]) -> Sequence[Ailing]:
        return await tx.all(_SQL.failed, {"rows": records(failures)}, Ailing)

    async def well(self, tx: Transaction, ids: Sequence[str]) -> Sequence[Recovered]:
        return [Recovered(*row) for row in await tx.tuples(_SQL.well, {"ids": list(ids)})]

    async def open(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.open, {"id": id})

    async def close(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.close, {"id": id})

    async def warned(self, tx: Transaction, id: str, percent: int) -> None:
        await tx.execute(_SQL.warned, {"id": id, "percent": percent})

    async def disable(self, tx: Transaction, id: str, reason: DisabledReason) -> str | None:
        """Returns the endpoint's URL if this disabled it."""
        url: str | None = await tx.value(_SQL.disable, {"id": id, "reason": reason})
        return url

    async def url_of(self, tx: Transaction, id: str) -> str:
        url: str = await tx.value(_SQL.url_of, {"id": id})
        return url

    async def lock_endpoints(self, tx: Transaction, ids: Sequence[str]) -> None:
        await tx.execute(_SQL.lock_endpoints, {"ids": list(ids)})

    async def forget(self, tx: Transaction, id: str) -> bool:
        """Returns whether there was anything to forget."""
        return await tx.execute(_SQL.forget, {"id": id}) > 0

    async def of(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, EndpointHealth]:
        query = asking([breakers_of(ids)], _SQL.of, {})
        return {id: EndpointHealth(*rest) for id, *rest in await tx.tuples(*query)}

    async def breakers(self, tx: Transaction) -> Mapping[str, int]:
        """How many are `open` and `half_open`, and how many endpoints fail with theirs closed (`ailing`)."""
        [breakers] = await tx.dicts(*asking([ramping_keys()], _SQL.breakers, {}))
        return breakers
