"""/api/resources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from ogel.features.observability.resources.sample import NAMES
from ogel.features.observability.resources.store import ResourceStore, Taken
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Invalid
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.database.database import Database
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route, Timestamp

Text = Annotated[str, msgspec.Meta(max_length=200, pattern=STORABLE_PATTERN)]
_SPAN = timedelta(days=1)


class ResourceQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=100)]
    since: Timestamp | None = msgspec.field(default=None, name="from")
    until: Timestamp | None = msgspec.field(default=None, name="to")


class ResourceRoutes:
    def __init__(self, database: Database, store: ResourceStore) -> None:
        self._database = database
        self._store = store

    def routes(self) -> Sequence[Route]:
        read = Access("key", "stats:read", "read")
        return [
            Route("GET", "/api/resources", self._list, read, "Samples of one name, newest first",
                  query=ResourceQuery, returns=Page[Taken]),
            Route("GET", "/api/resources/latest", self._latest, read, "The last samples of everything",
                  returns=Page[Taken]),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, ResourceQuery]) -> Page[Taken]:
        query = call.query
        if query.name not in NAMES:
            raise Invalid.field("query.name", f"is none of {', '.join(NAMES)}")
        after_at, after_labels = _position(query.after) if query.after else (None, None)
        filters = {
            "name": query.name,
            "since": query.since or utc_now() - _SPAN,
            "until": query.until or utc_now(),
            "after_at": after_at,
            "after_labels": after_labels,
            "limit": query.limit + 1,
        }
        async with self._database.autocommit() as tx:
            taken = await self._store.list(tx, filters)
        return page(taken, query.limit, lambda each: (each.sampled_at, each.labels))

    async def _latest(self, call: Call[Any, Any]) -> Page[Taken]:
        # One page holds all samples: names are declared in code, and there are few tables and queues.
        async with self._database.autocommit() as tx:
            return Page(await self._store.latest(tx), next=None)


def _position(cursor: str) -> tuple[datetime, str]:
    at, labels = decode_cursor(cursor, tuple[Timestamp, dict[Text, Text]])
    return at, msgspec.json.encode(labels).decode()
