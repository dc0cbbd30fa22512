"""/api/webhooks and /api/test-webhook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ogel.features.webhooks.endpoints.endpoint import (
    CreatedEndpoint,
    Endpoint,
    EndpointChange,
    EndpointWithHealth,
    NewEndpoint,
    Url,
)
from ogel.features.webhooks.endpoints.service import EndpointService
from ogel.features.webhooks.endpoints.testing import TestSent, TestService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, decode_cursor, page
from ogel.runtime.http.route import Call, Route


class TestRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Without `url`, every endpoint that listens to `webhook.test` gets an event."""

    url: Url | None = None


class EndpointRoutes:
    def __init__(self, service: EndpointService, tests: TestService) -> None:
        self._service = service
        self._tests = tests

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "webhooks:read", "read"), Access("key", "webhooks:write", "write")
        one = "/api/webhooks/{id}"
        return [
            Route("POST", "/api/webhooks", self._create, write.audited("webhook.create"),
                  "Create an endpoint; the answer alone shows its secret", body=NewEndpoint,
                  returns=CreatedEndpoint, status=201),
            Route("GET", "/api/webhooks", self._list, read, "List endpoints, newest first",
                  query=PageQuery, returns=Page[EndpointWithHealth]),
            Route("GET", one, self._get, read, "One endpoint", returns=EndpointWithHealth),
            Route("PATCH", one, self._change, write.audited("webhook.update"),
                  "Change, pause or enable an endpoint", body=EndpointChange, returns=Endpoint),
            Route("DELETE", one, self._delete, write.audited("webhook.delete"),
                  "Delete an endpoint and cancel what waits for it", status=204),
            Route("POST", one + "/test", self._test, write.audited("webhook.test"),
                  "Send this endpoint a webhook.test event", returns=TestSent, status=202),
            Route("POST", "/api/test-webhook", self._test_any, write.audited("webhook.test"),
                  "Send a webhook.test event, to a URL or to all", body=TestRequest, body_optional=True,
                  returns=TestSent, status=202),
        ]  # fmt: skip

    async def _create(self, call: Call[NewEndpoint, Any]) -> CreatedEndpoint:
        return await self._service.create(call.caller, call.body)

    async def _list(self, call: Call[Any, PageQuery]) -> Page[EndpointWithHealth]:
        after = decode_cursor(call.query.after, str) if call.query.after else None
        endpoints = await self._service.list(after, call.query.limit + 1)
        return page(endpoints, call.query.limit, lambda endpoint: endpoint.id)

    async def _get(self, call: Call[Any, Any]) -> EndpointWithHealth:
        return await self._service.get(call.path["id"])

    async def _change(self, call: Call[EndpointChange, Any]) -> Endpoint:
        return await self._service.change(call.caller, call.path["id"], call.body)

    async def _delete(self, call: Call[Any, Any]) -> None:
        await self._service.delete(call.caller, call.path["id"])

    async def _test(self, call: Call[Any, Any]) -> TestSent:
        return await self._tests.send(call.caller, call.path["id"])

    async def _test_any(self, call: Call[TestRequest | None, Any]) -> TestSent:
        if call.body is None or call.body.url is None:
            return await self._tests.send_to_all(call.caller)
        return await self._tests.send_to_url(call.caller, call.body.url)
