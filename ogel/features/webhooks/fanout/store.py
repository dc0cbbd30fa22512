"""Which endpoints hear an event, and the deliveries that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from ogel.kernel.event import Event
from ogel.runtime.database import Queries, Session, records

_SQL = Queries.beside(__name__)


class Match(NamedTuple):
    """An event and an endpoint that listens to its type; whether the event fits the filter is not asked yet."""

    event_id: str
    webhook_id: str
    filter: str | None = None
    ordered_by: str | None = None


class NewDelivery(Struct, frozen=True):
    id: str
    event_id: str
    webhook_id: str


class FanOutStore:
    async def match(self, tx: Session, events: Sequence[Event]) -> list[Match]:
        """Every pair that fits."""
        parameters = {"ids": [event.id for event in events], "types": [event.type for event in events]}
        return [Match(*row) for row in await tx.tuples(_SQL.match, parameters)]

    async def insert_deliveries(self, tx: Session, deliveries: Sequence[NewDelivery]) -> None:
        await tx.execute(_SQL.insert_deliveries, {"rows": records(deliveries)})
