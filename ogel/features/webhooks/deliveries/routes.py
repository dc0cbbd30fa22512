"""/api/deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ogel.features.webhooks.deliveries.delivery import Delivery, DeliveryStatus, DeliveryWithAttempts
from ogel.features.webhooks.deliveries.service import DeliveryService
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Route, Timestamp

Id = Annotated[str, msgspec.Meta(max_length=128, pattern=STORABLE_PATTERN)]


class DeliveryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    webhook: Id | None = None
    event: Id | None = None
    status: DeliveryStatus | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None


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
        ]  # fmt: skip

    async def _list(self, call: Call[Any, DeliveryQuery]) -> Page[Delivery]:
        query = call.query
        deliveries = await self._service.list(filters_of(query))
        return page(deliveries, query.limit, lambda delivery: delivery.id)

    async def _get(self, call: Call[Any, Any]) -> DeliveryWithAttempts:
        return await self._service.get(call.path["id"])

    async def _retry(self, call: Call[Any, Any]) -> Delivery:
        return await self._service.retry(call.caller, call.path["id"])
