"""/api/webhooks, /api/deliveries and the seed's /api/test-webhook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Struct

from ogel.features.webhooks.delivery import Delivery, DeliveryStatus, DeliveryWithAttempts
from ogel.features.webhooks.endpoint import CreatedEndpoint, Endpoint, EndpointChange, NewEndpoint, Url
from ogel.features.webhooks.service import TestSent, WebhookService
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route

Id = Annotated[str, msgspec.Meta(max_length=128, pattern=STORABLE_PATTERN)]


class DeliveryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    webhook: Id | None = None
    event: Id | None = None
    status: DeliveryStatus | None = None


class TestRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Without `url`, every endpoint that listens to `webhook.test` gets one."""

    url: Url | None = None


class WebhookRoutes:
    def __init__(self, service: WebhookService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = "webhooks:read", "webhooks:write"
        one = "/api/webhooks/{id}"
        return [
            Route("POST", "/api/webhooks", self._create, write, "Create an endpoint; the answer alone shows its secret",
                  body=NewEndpoint, returns=CreatedEndpoint, status=201),
            Route("GET", "/api/webhooks", self._list, read, "List endpoints, newest first",
                  query=PageQuery, returns=Page[Endpoint]),
            Route("GET", one, self._get, read, "One endpoint", returns=Endpoint),
            Route("PATCH", one, self._change, write, "Change, pause or enable an endpoint",
                  body=EndpointChange, returns=Endpoint),
            Route("DELETE", one, self._delete, write, "Delete an endpoint and cancel what waits for it", status=204),
            Route("POST", one + "/test", self._test, write, "Send this endpoint a webhook.test event",
                  returns=TestSent, status=202),
            Route("POST", "/api/test-webhook", self._test_any, write, "Send a webhook.test event, to a URL or to all",
                  body=TestRequest, body_optional=True, returns=TestSent, status=202),
            Route("GET", "/api/deliveries", self._list_deliveries, read, "List deliveries, newest first",
                  query=DeliveryQuery, returns=Page[Delivery]),
            Route("GET", "/api/deliveries/{id}", self._get_delivery, read, "One delivery with its attempts",
                  returns=DeliveryWithAttempts),
            Route("POST", "/api/deliveries/{id}/retry", self._retry, write, "Deliver again, now",
                  returns=Delivery, status=202),
        ]  # fmt: skip

    async def _create(self, call: Call[NewEndpoint, Any]) -> CreatedEndpoint:
        return await self._service.create(call.caller, call.body)

    async def _list(self, call: Call[Any, PageQuery]) -> Page[Endpoint]:
        after = decode_cursor(call.query.after, str) if call.query.after else None
        endpoints = await self._service.list_endpoints(after, call.query.limit + 1)
        return page(endpoints, call.query.limit, lambda endpoint: endpoint.id)

    async def _get(self, call: Call[Any, Any]) -> Endpoint:
        return await self._service.get(call.path["id"])

    async def _change(self, call: Call[EndpointChange, Any]) -> Endpoint:
        return await self._service.change(call.caller, call.path["id"], call.body)

    async def _delete(self, call: Call[Any, Any]) -> None:
        await self._service.delete(call.caller, call.path["id"])

    async def _test(self, call: Call[Any, Any]) -> TestSent:
        return await self._service.send_test(call.caller, call.path["id"])

    async def _test_any(self, call: Call[TestRequest | None, Any]) -> TestSent:
        if call.body is None or call.body.url is None:
            return await self._service.send_test_to_all(call.caller)
        return await self._service.send_test_to_url(call.caller, call.body.url)

    async def _list_deliveries(self, call: Call[Any, DeliveryQuery]) -> Page[Delivery]:
        query = call.query
        filters = msgspec.structs.asdict(query) | {
            "limit": query.limit + 1,
            "after": decode_cursor(query.after, str) if query.after else None,
        }
        deliveries = await self._service.list_deliveries(filters)
        return page(deliveries, query.limit, lambda delivery: delivery.id)

    async def _get_delivery(self, call: Call[Any, Any]) -> DeliveryWithAttempts:
        return await self._service.get_delivery(call.path["id"])

    async def _retry(self, call: Call[Any, Any]) -> Delivery:
        return await self._service.retry_delivery(call.caller, call.path["id"])
