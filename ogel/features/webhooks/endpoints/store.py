"""The webhook_endpoints table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.webhooks.endpoints.endpoint import Endpoint
from ogel.kernel.event import glob_to_like
from ogel.runtime.database import Queries, Session

_SQL = Queries.beside(__name__)


class EndpointStore:
    async def insert(self, tx: Session, values: Mapping[str, Any]) -> Endpoint:
        endpoint = await tx.one(_SQL.insert_endpoint, _as_columns(values), Endpoint)
        assert endpoint is not None
        return endpoint

    async def get(self, session: Session, id: str) -> Endpoint | None:
        return await session.one(_SQL.get_endpoint, {"id": id}, Endpoint)

    async def lock(self, tx: Session, id: str) -> Endpoint | None:
        return await tx.one(_SQL.lock_endpoint, {"id": id}, Endpoint)

    async def list(self, session: Session, after: str | None, limit: int) -> Sequence[Endpoint]:
        return await session.all(_SQL.list_endpoints, {"after": after, "limit": limit}, Endpoint)

    async def update(self, tx: Session, values: Mapping[str, Any]) -> Endpoint:
        endpoint = await tx.one(_SQL.update_endpoint, _as_columns(values), Endpoint)
        assert endpoint is not None
        return endpoint

    async def delete(self, tx: Session, id: str) -> None:
        await tx.execute(_SQL.delete_endpoint, {"id": id})

    async def find_test(self, tx: Session, url: str) -> str | None:
        found: str | None = await tx.value(_SQL.find_test_endpoint, {"url": url})
        return found

    async def replace_secret(self, tx: Session, id: str, sealed_secret: bytes) -> None:
        await tx.execute(_SQL.replace_secret, {"id": id, "sealed_secret": sealed_secret})


def _as_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    globs = list(values["events"])
    return {
        **values,
        "event_globs": globs,
        "event_likes": [glob_to_like(glob) for glob in globs],
        "headers": msgspec.json.encode(values["headers"]).decode(),
    }
