"""The objects of a registered PostgreSQL database: /api/databases/{id}/schemas and the like, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from ogel.features.databases.ask import Asking
from ogel.features.databases.catalog.objects import Column, Extension, Index, Schema, Table
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.database.registered import Catalog, ExternalDatabases
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route

Text = Annotated[str, Meta(max_length=63, pattern=STORABLE_PATTERN)]
Item = TypeVar("Item", bound=Struct)


class SchemaQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `schema`, only objects of that schema."""

    schema: Text | None = None


class TableQuery(SchemaQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `table`, only objects of tables with that name."""

    table: Text | None = None


class CatalogRoutes:
    def __init__(self, asking: Asking, external: ExternalDatabases) -> None:
        self._asking = asking
        self._external = external

    def routes(self) -> Sequence[Route]:
        one, read = "/api/databases/{id}", Access("key", "databases:read", "read")
        return [
            Route("GET", one + "/schemas", self._schemas, read, "Schemas of a postgresql database",
                  query=PageQuery, returns=Page[Schema]),
            Route("GET", one + "/tables", self._tables, read, "Tables and views of a postgresql database",
                  query=SchemaQuery, returns=Page[Table]),
            Route("GET", one + "/columns", self._columns, read, "Columns of a postgresql database",
                  query=TableQuery, returns=Page[Column]),
            Route("GET", one + "/indexes", self._indexes, read, "Indexes of a postgresql database",
                  query=TableQuery, returns=Page[Index]),
            Route("GET", one + "/extensions", self._extensions, read, "Extensions, installed or available",
                  query=PageQuery, returns=Page[Extension]),
        ]  # fmt: skip

    async def _schemas(self, call: Call[Any, PageQuery]) -> Page[Schema]:
        after = decode_cursor(call.query.after, tuple[Text]) if call.query.after else None
        rows = await self._list(call, "schemas", after, Schema)
        return page(rows, call.query.limit, lambda each: (each.name,))

    async def _tables(self, call: Call[Any, SchemaQuery]) -> Page[Table]:
        after = decode_cursor(call.query.after, tuple[Text, Text]) if call.query.after else None
        rows = await self._list(call, "tables", after, Table)
        return page(rows, call.query.limit, lambda each: (each.schema, each.name))

    async def _columns(self, call: Call[Any, TableQuery]) -> Page[Column]:
        place = Annotated[int, Meta(ge=0, le=32767)]
        after = decode_cursor(call.query.after, tuple[Text, Text, place]) if call.query.after else None
        rows = await self._list(call, "columns", after, Column)
        return page(rows, call.query.limit, lambda each: (each.schema, each.table, each.position))

    async def _indexes(self, call: Call[Any, TableQuery]) -> Page[Index]:
        after = decode_cursor(call.query.after, tuple[Text, Text]) if call.query.after else None
        rows = await self._list(call, "indexes", after, Index)
        return page(rows, call.query.limit, lambda each: (each.schema, each.name))

    async def _extensions(self, call: Call[Any, PageQuery]) -> Page[Extension]:
        after = decode_cursor(call.query.after, tuple[Text]) if call.query.after else None
        rows = await self._list(call, "extensions", after, Extension)
        return page(rows, call.query.limit, lambda each: (each.name,))

    async def _list(
        self, call: Call[Any, Any], what: Catalog, after: Sequence[object] | None, item: type[Item]
    ) -> Sequence[Item]:
        filters = msgspec.structs.asdict(call.query) | {
            "limit": call.query.limit + 1,
            "after": None if after is None else [str(each) for each in after],
        }
        rows = await self._asking.postgresql(
            call.path["id"], lambda target: self._external.catalog(target, what, filters)
        )
        return msgspec.convert(rows, list[item])  # type: ignore[valid-type]
