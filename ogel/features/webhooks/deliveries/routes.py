"""/api/deliveries, /api/attempts, and how many deliveries of an endpoint wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, get_args

import msgspec

from ogel.features.webhooks.deliveries.delivery import (
    Delivery,
    DeliveryStatus,
    DeliveryWithAttempts,
    Outcome,
    Waiting,
)
from ogel.features.webhooks.deliveries.service import DeliveryService
from ogel.features.webhooks.deliveries.tail import RecordedAttempts, TailCursor
from ogel.kernel.clock import utc_now
from ogel.kernel.text import STORABLE_PATTERN, pattern
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, encode_cursor, filters_of, page
from ogel.runtime.http.route import Call, Route, Timestamp

MOST_WAITING = 10_000
_OUTCOME = "|".join(get_args(Outcome))
OUTCOMES_PATTERN = pattern(
    rf"^({_OUTCOME})(,({_OUTCOME}))*(?!\n)$", f"any of {', '.join(get_args(Outcome))}, separated by commas"
)
Id = Annotated[str, msgspec.Meta(max_length=128, pattern=STORABLE_PATTERN)]


class DeliveryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    webhook: Id | None = None
    event: Id | None = None
    status: DeliveryStatus | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None


class AttemptQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`since` is now when it is left out."""

    since: Timestamp | None = None
    webhook: Id | None = None
    outcome: Annotated[str, msgspec.Meta(max_length=64, pattern=OUTCOMES_PATTERN)] | None = None


class DeliveryRoutes:
    def __init__(self, service: DeliveryService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "webhooks:read", "read"), Access("key", "webhooks:write", "write")
        return [
            Route("GET", "/api/deliveries", self._list, read, "List deliveries, newest first",
                  query=DeliveryQuery, returns=Page[Delivery]),
            Route("GET", "/api/deliveries/{id}", self._get, read, "One delivery with its attempts",
                  returns=DeliveryWithAttempts),
            Route("POST", "/api/deliveries/{id}/retry", self._retry, write.audited("delivery.retry"),
                  "Deliver again, now", returns=Delivery, status=202),
            Route("GET", "/api/attempts", self._attempts, read, "Follow attempts in the order they are recorded",
                  query=AttemptQuery, returns=RecordedAttempts),
            Route("GET", "/api/webhooks/{id}/waiting", self._waiting, read,
                  "How many of its deliveries wait or are under way", returns=Waiting),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, DeliveryQuery]) -> Page[Delivery]:
        query = call.query
        deliveries = await self._service.list(filters_of(query))
        return page(deliveries, query.limit, lambda delivery: delivery.id)

    async def _get(self, call: Call[Any, Any]) -> DeliveryWithAttempts:
        return await self._service.get(call.path["id"])

    async def _retry(self, call: Call[Any, Any]) -> Delivery:
        return await self._service.retry(call.caller, call.path["id"])

    async def _attempts(self, call: Call[Any, AttemptQuery]) -> RecordedAttempts:
        query = call.query
        start = (
            decode_cursor(query.after, TailCursor) if query.after else TailCursor(query.since or utc_now())
        )
        outcomes: Any = query.outcome and query.outcome.split(",")
        found = await self._service.recorded(start, query.webhook, outcomes, query.limit)
        next = None if found.next is None else encode_cursor(found.next)
        return RecordedAttempts(list(found.attempts), next, found.settled_at)

    async def _waiting(self, call: Call[Any, Any]) -> Waiting:
        waiting = await self._service.waiting(call.path["id"], MOST_WAITING)
        return Waiting(waiting, more=waiting >= MOST_WAITING)
