"""The webhook_endpoints table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.webhooks.endpoints.endpoint import Endpoint
from ogel.kernel.event import glob_to_like
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class EndpointStore:
    async def insert(self, tx: Transaction, values: Mapping[str, Any]) -> Endpoint:
        [endpoint] = await _endpoints(tx, _SQL.insert_endpoint, _as_columns(values))
        return endpoint

    async def get(self, tx: Transaction, id: str) -> Endpoint | None:
        return _only(await _endpoints(tx, _SQL.get_endpoint, {"id": id}))

    async def lock(self, tx: Transaction, id: str) -> Endpoint | None:
        return _only(await _endpoints(tx, _SQL.lock_endpoint, {"id": id}))

    async def list(self, tx: Transaction, after: str | None, limit: int) -> Sequence[Endpoint]:
        return await _endpoints(tx, _SQL.list_endpoints, {"after": after, "limit": limit})

    async def update(self, tx: Transaction, values: Mapping[str, Any]) -> Endpoint:
        """Updates everything but the headers."""
        [endpoint] = await _endpoints(tx, _SQL.update_endpoint, _as_columns(values))
        return endpoint

    async def replace_headers(
        self, tx: Transaction, id: str, sealed: bytes | None, hints: Mapping[str, str]
    ) -> None:
        parameters = {"id": id, "sealed_headers": sealed, "header_hints": _json(hints)}
        await tx.execute(_SQL.replace_headers, parameters)

    async def plain_headers(self, tx: Transaction, limit: int) -> Sequence[tuple[str, dict[str, str]]]:
        """Locks some endpoints whose headers the previous version wrote, and returns ids and headers."""
        return [(id, headers) for id, headers in await tx.tuples(_SQL.plain_headers, {"limit": limit})]

    async def delete(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.delete_endpoint, {"id": id})

    async def is_over(self, tx: Transaction, id: str) -> bool:
        """Whether the endpoint gets no events and has no deliveries under way."""
        return bool(await tx.value(_SQL.is_over, {"id": id}))

    async def find_test(self, tx: Transaction, url: str) -> str | None:
        """Locks the endpoint."""
        found: str | None = await tx.value(_SQL.find_test_endpoint, {"url": url})
        return found


async def _endpoints(tx: Transaction, query: bytes, parameters: Mapping[str, Any]) -> list[Endpoint]:
    return [msgspec.convert(row, Endpoint) for row in await tx.dicts(query, parameters)]


def _only(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    return endpoints[0] if endpoints else None


def _as_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    globs = list(values["events"])
    return {
        **values,
        "event_globs": globs,
        "event_likes": [glob_to_like(glob) for glob in globs],
        "rate_limit": _json(values["rate_limit"] and values["rate_limit"].whole),
        "filter": _json(values["filter"]),
        "header_hints": _json(values.get("header_hints", {})),
    }


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
