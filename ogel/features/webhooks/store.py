"""The webhook tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ogel.features.webhooks.delivery import Attempt, AttemptResult, Delivery, Work
from ogel.features.webhooks.endpoint import Endpoint
from ogel.kernel.event import Event, glob_to_like
from ogel.kernel.ids import new_id
from ogel.runtime.database import Queries, Session, columns

_SQL = Queries.beside(__name__)
_ATTEMPT = (
    "id", "delivery_id", "number", "outcome", "reason", "detail", "response_status", "response_body", "response_cut",
    "peer", "started_at", "duration_seconds",
)  # fmt: skip
_SETTLED = ("id", "status", "attempts", "next_attempt_at")


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

    async def match(self, tx: Session, events: Sequence[Event]) -> list[tuple[str, str, str, int]]:
        """(event id, endpoint id, endpoint state, endpoint's in-flight limit) for every pair that fits."""
        parameters = {"ids": [event.id for event in events], "types": [event.type for event in events]}
        return await tx.tuples(_SQL.match, parameters)

    async def insert_deliveries(self, tx: Session, rows: Sequence[tuple[str, str, str]]) -> None:
        """Rows of (delivery id, event id, endpoint id)."""
        await tx.execute(_SQL.insert_deliveries, columns(rows, ("id", "event_id", "webhook_id")))

    async def load_work(self, tx: Session, delivery_ids: Sequence[str]) -> dict[str, Work]:
        rows = await tx.tuples(_SQL.load_work, {"ids": list(delivery_ids)})
        return {row[0]: _work(row) for row in rows}

    async def record(
        self,
        tx: Session,
        attempts: Sequence[AttemptResult],
        settled: Sequence[tuple[str, str, int, datetime | None]],
    ) -> None:
        """`settled`: (delivery id, status, attempts, next attempt)."""
        if attempts:
            await tx.execute(_SQL.record_attempts, columns([_attempt_row(a) for a in attempts], _ATTEMPT))
        await tx.execute(_SQL.settle_deliveries, columns(settled, _SETTLED))

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


def _attempt_row(attempt: AttemptResult) -> tuple[Any, ...]:
    outcome = "delivered" if attempt.delivered else "failed"
    return (
        new_id("att"), attempt.delivery_id, attempt.number, outcome, attempt.reason, attempt.detail,
        attempt.response_status, attempt.response_body, attempt.response_cut, attempt.peer, attempt.started_at,
        attempt.duration_seconds,
    )  # fmt: skip
