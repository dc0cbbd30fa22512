"""Sends a `webhook.test` event, to check whether an endpoint receives it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ogel.features.webhooks.endpoints.endpoint import Endpoint, NewEndpoint
from ogel.features.webhooks.endpoints.service import EndpointService, found
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.features.webhooks.fanout.fanout import FanOut
from ogel.features.webhooks.secrets.secret import Secret
from ogel.features.webhooks.secrets.service import SecretService
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.outbox import Outbox

TEST_EVENT = "webhook.test"
TEST_DATA = b'{"message":"This is a test event from Ogel."}'


class TestSent(Struct, frozen=True):
    """`secret` is set only when this request created the endpoint for the test, or renewed its secret."""

    id: str
    deliveries: int
    webhook: str | None = None
    secret: str | None = None


class TestService:
    def __init__(
        self,
        database: Database,
        store: EndpointStore,
        endpoints: EndpointService,
        secrets: SecretService,
        fan_out: FanOut,
        outbox: Outbox,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._store = store
        self._endpoints = endpoints
        self._secrets = secrets
        self._fan_out = fan_out
        self._outbox = outbox
        self._audit = audit

    async def send(self, caller: Caller, id: str) -> TestSent:
        """Delivers to this endpoint only, whatever it listens to."""
        async with self._database.transaction() as tx:
            # Locked, or it could be deleted before its delivery is there, which would then wait for ever.
            endpoint = found(await self._store.lock(tx, id), id)
            sent = await self._send(tx, endpoint)
            await self._audit.record(tx, caller, "webhook.test", "webhook", id, {"event": sent.id})
        return sent

    async def send_to_all(self, caller: Caller) -> TestSent:
        """The event is published like any other."""
        event = _test_event()
        async with self._database.transaction() as tx:
            publication = await self._outbox.publish(tx, [event])
            await self._audit.record(tx, caller, "webhook.test", "event", event.id)
        return TestSent(event.id, publication.deliveries[event.id])

    async def send_to_url(self, caller: Caller, url: str) -> TestSent:
        """
        The URL need not belong to an endpoint: one is made that gets no events, is in no list and is deleted after its
        only attempt. Its secret is new each time, so that the caller can verify the request.
        """
        await self._endpoints.check_url(url)
        secret = Secret.new("v1")
        async with self._database.transaction() as tx:
            id = await self._store.find_test(tx, url)
            if id is None:
                new = NewEndpoint(url=url, events=[], description="One-off tests", max_in_flight=1)
                endpoint: Endpoint = await self._endpoints.insert(tx, caller, new, secret)
            else:
                await self._secrets.replace(tx, id, secret)
                endpoint = found(await self._store.get(tx, id), id)
            sent = await self._send(tx, endpoint)
            await self._audit.record(tx, caller, "webhook.test", "webhook", endpoint.id, {"event": sent.id})
        return msgspec.structs.replace(sent, webhook=endpoint.id, secret=secret.text)

    async def _send(self, tx: Transaction, endpoint: Endpoint) -> TestSent:
        if endpoint.state == "paused":
            raise Conflict(f"Webhook {endpoint.id!r} is paused; enable it to test it.")
        event = _test_event()
        only = self._fan_out.to_endpoint(endpoint.id)
        publication = await self._outbox.publish(tx, [event], to=[only])
        return TestSent(event.id, publication.deliveries[event.id], webhook=endpoint.id)


def _test_event() -> Event:
    return Event(new_id("evt"), TEST_EVENT, TEST_DATA, None, utc_now())
