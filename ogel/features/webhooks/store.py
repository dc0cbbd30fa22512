"""The webhook tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ogel.features.webhooks.delivery import Attempt, AttemptResult, Delivery, NewDelivery, Settled, Work
from ogel.features.webhooks.endpoint import Endpoint
from ogel.kernel.event import Event, glob_to_like
from ogel.runtime.database import Queries, Session, records

_SQL = Queries.beside(__name__)


class Match(NamedTuple):
    """An event and an endpoint that hears it; `max_in_flight` is the endpoint's."""

    event_id: str
    webhook_id: str
    state: str
    max_in_flight: int


class WebhookStore:
    async def insert_endpoint(self, tx: Session, values: Mapping[str, Any]) -> Endpoint:
        endpoint = await tx.one(_SQL.insert_endpoint, _as_columns(values), Endpoint)
        assert endpoint is not None
        return endpoint

    async def get_endpoint(self, session: Session, id: str) -> Endpoint | None:
        return await session.one(_SQL.get_endpoint, {"id": id}, Endpoint)

    async def lock_endpoint(self, tx: Session, id: str) -> Endpoint | None:
        return await tx.one(_SQL.lock_endpoint, {"id": id}, Endpoint)

    async def list_endpoints(self, session: Session, after: str | None, limit: int) -> list[Endpoint]:
        return await session.all(_SQL.list_endpoints, {"after": after, "limit": limit}, Endpoint)

    async def update_endpoint(self, tx: Session, values: Mapping[str, Any]) -> Endpoint:
        endpoint = await tx.one(_SQL.update_endpoint, _as_columns(values), Endpoint)
        assert endpoint is not None
        return endpoint

    async def delete_endpoint(self, tx: Session, id: str) -> None:
        await tx.execute(_SQL.delete_endpoint, {"id": id})
        await tx.execute(_SQL.cancel_deliveries, {"webhook_id": id})

    async def find_test_endpoint(self, tx: Session, url: str) -> str | None:
        found: str | None = await tx.value(_SQL.find_test_endpoint, {"url": url})
        return found

    async def replace_secret(self, tx: Session, id: str, sealed_secret: bytes) -> None:
        await tx.execute(_SQL.replace_secret, {"id": id, "sealed_secret": sealed_secret})

    async def match(self, tx: Session, events: Sequence[Event]) -> list[Match]:
        """Every pair that fits."""
        parameters = {"ids": [event.id for event in events], "types": [event.type for event in events]}
        return [Match(*row) for row in await tx.tuples(_SQL.match, parameters)]

    async def insert_deliveries(self, tx: Session, deliveries: Sequence[NewDelivery]) -> None:
        await tx.execute(_SQL.insert_deliveries, {"rows": records(deliveries)})

    async def load_work(self, tx: Session, delivery_ids: Sequence[str]) -> dict[str, Work]:
        rows = await tx.tuples(_SQL.load_work, {"ids": list(delivery_ids)})
        return {row[0]: _work(row) for row in rows}

    async def record(
        self, tx: Session, attempts: Sequence[AttemptResult], settled: Sequence[Settled]
    ) -> None:
        await tx.execute(_SQL.record, {"attempts": records(attempts), "settled": records(settled)})

    async def cancel_delivery(self, tx: Session, id: str) -> None:
        """One that is over already stays as it is."""
        await tx.execute(_SQL.cancel_delivery, {"id": id})

    async def get_delivery(self, session: Session, id: str) -> Delivery | None:
        return await session.one(_SQL.get_delivery, {"id": id}, Delivery)

    async def list_deliveries(self, session: Session, filters: Mapping[str, Any]) -> list[Delivery]:
        return await session.all(_SQL.list_deliveries, filters, Delivery)

    async def list_attempts(self, session: Session, delivery_id: str) -> list[Attempt]:
        return await session.all(_SQL.list_attempts, {"delivery_id": delivery_id}, Attempt)

    async def reopen_delivery(self, tx: Session, id: str) -> None:
        await tx.execute(_SQL.reopen_delivery, {"id": id})


def _as_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    globs = list(values["events"])
    return {
        **values,
        "event_globs": globs,
        "event_likes": [glob_to_like(glob) for glob in globs],
        "headers": msgspec.json.encode(values["headers"]).decode(),
    }


def _work(row: tuple[Any, ...]) -> Work:
    delivery_id, event_id, type, data, subject, created_at, *rest = row
    return Work(delivery_id, Event(event_id, type, data.encode(), subject, created_at), *rest)
