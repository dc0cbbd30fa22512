"""/api/usage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

import msgspec

from ogel.features.observability.usage.metrics import Label, Metric
from ogel.features.observability.usage.service import Summary, UsageFilters, UsageService
from ogel.features.observability.usage.store import Usage
from ogel.kernel.clock import utc_now
from ogel.kernel.text import STORABLE_PATTERN, pattern
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route, Timestamp

_LABEL = "|".join(get_args(Label))
LABELS_PATTERN = pattern(
    rf"^({_LABEL})(,({_LABEL}))*(?!\n)$", f"any of {', '.join(get_args(Label))}, separated by commas"
)
# The default range when `since` is missing.
_SPANS = {"hour": timedelta(days=1), "day": timedelta(days=30)}


class UsageQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    metric: Metric | None = None
    since: Timestamp | None = msgspec.field(default=None, name="from")
    until: Timestamp | None = msgspec.field(default=None, name="to")
    bucket: Literal["hour", "day"] = "day"
    by: Annotated[str, msgspec.Meta(max_length=64, pattern=LABELS_PATTERN)] | None = None


class UsageRoutes:
    def __init__(self, service: UsageService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read = Access("key", "stats:read", "read")
        return [
            Route("GET", "/api/usage", self._list, read, "Usage per hour or day, oldest first",
                  query=UsageQuery, returns=Page[Usage]),
            Route("GET", "/api/usage/summary", self._summary, read, "Usage of this day and month so far",
                  returns=Summary),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, UsageQuery]) -> Page[Usage]:
        query = call.query
        filters = UsageFilters(
            bucket=query.bucket,
            since=query.since or _begin(query.bucket),
            until=query.until or utc_now(),
            metric=query.metric,
            by=query.by.split(",") if query.by else (),
            after=_position(query.after) if query.after else None,
            limit=query.limit + 1,
        )
        return page(await self._service.list(filters), query.limit, _cursor)

    async def _summary(self, call: Call[Any, Any]) -> Summary:
        return await self._service.summary()


def _begin(bucket: str) -> datetime:
    return utc_now() - _SPANS[bucket]


def _cursor(usage: Usage) -> tuple[datetime, str, dict[str, str]]:
    return usage.at, usage.metric, usage.labels


def _position(cursor: str) -> tuple[datetime, str, str]:
    at, metric, labels = decode_cursor(cursor, tuple[Timestamp, Text, dict[Text, Text]])
    return at, metric, msgspec.json.encode(labels).decode()


Text = Annotated[str, msgspec.Meta(max_length=64, pattern=STORABLE_PATTERN)]
