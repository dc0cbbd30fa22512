"""/api/databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.databases.registry.database import (
    DatabaseChange,
    NewDatabase,
    RegisteredDatabase,
    State,
)
from ogel.features.databases.registry.service import RegistryService
from ogel.runtime.database.registered import DatabaseType
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Route


class DatabaseQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: DatabaseType | None = None
    state: State | None = None


class RegistryRoutes:
    def __init__(self, service: RegistryService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "databases:read", "read"), Access("key", "databases:write", "write")
        one = "/api/databases/{id}"
        return [
            Route("POST", "/api/databases", self._create, write.audited("database.create"),
                  "Register a database; its first check follows", body=NewDatabase,
                  returns=RegisteredDatabase, status=201),
            Route("GET", "/api/databases", self._list, read, "List registered databases, newest first",
                  query=DatabaseQuery, returns=Page[RegisteredDatabase]),
            Route("GET", one, self._get, read, "One database, by id or name, and how its last check ended",
                  returns=RegisteredDatabase),
            Route("PATCH", one, self._change, write.audited("database.update"),
                  "Rename, relabel or move it; not while it is migrated", body=DatabaseChange,
                  returns=RegisteredDatabase),
            Route("DELETE", one, self._delete, write.audited("database.delete"),
                  "Forget it, and leave the database itself as it is", status=204),
        ]  # fmt: skip

    async def _create(self, call: Call[NewDatabase, Any]) -> RegisteredDatabase:
        return await self._service.create(call.caller, call.body)

    async def _list(self, call: Call[Any, DatabaseQuery]) -> Page[RegisteredDatabase]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda database: database.id)

    async def _get(self, call: Call[Any, Any]) -> RegisteredDatabase:
        return await self._service.get(call.path["id"])

    async def _change(self, call: Call[DatabaseChange, Any]) -> RegisteredDatabase:
        return await self._service.change(call.caller, call.path["id"], call.body)

    async def _delete(self, call: Call[Any, Any]) -> None:
        await self._service.delete(call.caller, call.path["id"])
