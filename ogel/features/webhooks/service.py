"""The rules of endpoints and deliveries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ogel.features.audit.contract import AuditTrail
from ogel.features.webhooks.delivery import Delivery, DeliveryWithAttempts
from ogel.features.webhooks.endpoint import CreatedEndpoint, Endpoint, EndpointChange, NewEndpoint
from ogel.features.webhooks.fanout import FanOut, delivery_job, job_id_of
from ogel.features.webhooks.jobs import secret_purpose
from ogel.features.webhooks.signature import decode_secret, new_secret
from ogel.features.webhooks.store import WebhookStore
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.database import Database, Session
from ogel.runtime.egress import UrlGuard
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.vault import Vault

TEST_EVENT = "webhook.test"
TEST_DATA = b'{"message":"This is a test event from Ogel."}'

# RFC 9110 §5.1 and §5.5; and the names that are ours to set.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]{0,998}[\x21-\x7e])?")
_OUR_HEADERS = re.compile(
    r"(?i)webhook-.*|host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|"
    r"proxy-.*|user-agent|accept-encoding"
)


class TestSent(Struct, frozen=True):
    """`secret` only when this very request made the endpoint, or renewed its secret, to send the test."""

    id: str
    deliveries: int
    webhook: str | None = None
    secret: str | None = None


class WebhookService:
    def __init__(
        self,
        database: Database,
        store: WebhookStore,
        fan_out: FanOut,
        jobs: JobQueue,
        outbox: Outbox,
        guard: UrlGuard,
        vault: Vault,
        audit: AuditTrail,
        default_timeout_seconds: float,
    ) -> None:
        self._database = database
        self._store = store
        self._fan_out = fan_out
        self._jobs = jobs
        self._outbox = outbox
        self._guard = guard
        self._vault = vault
        self._audit = audit
        self._default_timeout_seconds = default_timeout_seconds

    async def create(self, caller: Caller, new: NewEndpoint) -> CreatedEndpoint:
        self._check_url(new.url)
        _check_headers(new.headers)
        secret = new.secret or new_secret()
        _check_secret(secret)
        async with self._database.transaction() as tx:
            return await self._insert(tx, caller, msgspec.structs.asdict(new), secret)

    async def get(self, id: str) -> Endpoint:
        async with self._database.session() as session:
            return _found(await self._store.get_endpoint(session, id), id)

    async def list_endpoints(self, after: str | None, limit: int) -> list[Endpoint]:
        async with self._database.session() as session:
            return await self._store.list_endpoints(session, after, limit)

    async def change(self, caller: Caller, id: str, change: EndpointChange) -> Endpoint:
        wanted = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET
        }
        if "url" in wanted:
            self._check_url(wanted["url"])
        _check_headers(wanted.get("headers", {}))
        async with self._database.transaction() as tx:
            before = _found(await self._store.lock_endpoint(tx, id), id)
            after = await self._store.update_endpoint(tx, msgspec.structs.asdict(before) | wanted)
            if after.state != before.state:
                change_jobs = self._jobs.hold_key if after.state == "paused" else self._jobs.release_key
                await change_jobs(tx, id)
            if after.max_in_flight != before.max_in_flight:
                await self._jobs.set_key_limit(tx, id, after.max_in_flight)
            await self._audit.record(tx, caller, "webhook.update", "webhook", id, {"changed": sorted(wanted)})
        return after

    async def delete(self, caller: Caller, id: str) -> None:
        """What still waits for it is cancelled; the log of what was sent stays until its retention ends."""
        async with self._database.transaction() as tx:
            endpoint = _found(await self._store.lock_endpoint(tx, id), id)
            await self._store.delete_endpoint(tx, id)
            await self._jobs.discard_key(tx, id)
            await self._audit.record(tx, caller, "webhook.delete", "webhook", id, {"url": endpoint.url})

    async def send_test(self, caller: Caller, id: str) -> TestSent:
        """A `webhook.test` event to this endpoint and nobody else, whatever it listens to."""
        async with self._database.transaction() as tx:
            endpoint = _found(await self._store.get_endpoint(tx, id), id)
            sent = await self._send_test(tx, endpoint)
            await self._audit.record(tx, caller, "webhook.test", "webhook", id, {"event": sent.id})
        return sent

    async def send_test_to_all(self, caller: Caller) -> TestSent:
        """A `webhook.test` event published like any other."""
        event = _test_event()
        async with self._database.transaction() as tx:
            publication = await self._outbox.publish(tx, [event])
            await self._audit.record(tx, caller, "webhook.test", "event", event.id)
        return TestSent(event.id, publication.deliveries[event.id])

    async def send_test_to_url(self, caller: Caller, url: str) -> TestSent:
        """
        To a URL that need be no endpoint: one is kept for it that listens to nothing, with a new secret each time,
        so that whoever asked can verify what arrives.
        """
        self._check_url(url)
        secret = new_secret()
        async with self._database.transaction() as tx:
            id = await self._store.find_test_endpoint(tx, url)
            if id is None:
                values = {
                    "url": url,
                    "events": [],
                    "description": "One-off tests",
                    "headers": {},
                    "max_in_flight": 1,
                }
                endpoint: Endpoint = await self._insert(tx, caller, values, secret)
            else:
                await self._store.replace_secret(tx, id, self._seal(id, secret))
                endpoint = _found(await self._store.get_endpoint(tx, id), id)
            sent = await self._send_test(tx, endpoint)
            await self._audit.record(tx, caller, "webhook.test", "webhook", endpoint.id, {"event": sent.id})
        return msgspec.structs.replace(sent, webhook=endpoint.id, secret=secret)

    async def list_deliveries(self, filters: Mapping[str, Any]) -> list[Delivery]:
        async with self._database.session() as session:
            return await self._store.list_deliveries(session, filters)

    async def get_delivery(self, id: str) -> DeliveryWithAttempts:
        async with self._database.session() as session:
            delivery = _found_delivery(await self._store.get_delivery(session, id), id)
            attempts = await self._store.list_attempts(session, id)
        return DeliveryWithAttempts(**msgspec.structs.asdict(delivery), log=attempts)

    async def retry_delivery(self, caller: Caller, id: str) -> Delivery:
        """
        At once, whatever its state, unless an attempt is under way or its webhook is paused, when it waits for that;
        all its attempts are before it again.
        """
        async with self._database.transaction() as tx:
            delivery = _found_delivery(await self._store.get_delivery(tx, id), id)
            endpoint = await self._store.lock_endpoint(tx, delivery.webhook)
            if endpoint is None:
                raise Conflict(f"The webhook of delivery {id!r} was deleted.")
            # The job first, the delivery after it: the order in which workers lock them.
            if not await self._jobs.revive(tx, job_id_of(id)):
                written = await self._jobs.enqueue(
                    tx, [delivery_job(id, endpoint.id, endpoint.max_in_flight)]
                )
                if not written:
                    raise Conflict(f"An attempt of delivery {id!r} is under way.")
                await self._store.reopen_delivery(tx, id)
            if endpoint.state == "paused":
                await self._jobs.hold_key(tx, endpoint.id)
            await self._audit.record(tx, caller, "delivery.retry", "delivery", id)
            return _found_delivery(await self._store.get_delivery(tx, id), id)

    async def _insert(
        self, tx: Session, caller: Caller, values: Mapping[str, Any], secret: str
    ) -> CreatedEndpoint:
        id = new_id("wh")
        timeout = values.get("timeout_seconds")
        row = {
            **values,
            "id": id,
            "sealed_secret": self._seal(id, secret),
            "timeout_seconds": self._default_timeout_seconds if timeout is None else timeout,
        }
        endpoint = await self._store.insert_endpoint(tx, row)
        metadata = {"url": endpoint.url, "events": endpoint.events}
        await self._audit.record(tx, caller, "webhook.create", "webhook", id, metadata)
        return CreatedEndpoint(**msgspec.structs.asdict(endpoint), secret=secret)

    async def _send_test(self, tx: Session, endpoint: Endpoint) -> TestSent:
        if endpoint.state == "paused":
            raise Conflict(f"Webhook {endpoint.id!r} is paused; enable it to test it.")
        event = _test_event()
        only = self._fan_out.to_endpoint(endpoint.id, endpoint.max_in_flight)
        publication = await self._outbox.publish(tx, [event], to=[only])
        return TestSent(event.id, publication.deliveries[event.id], webhook=endpoint.id)

    def _seal(self, id: str, secret: str) -> bytes:
        return self._vault.seal(decode_secret(secret), secret_purpose(id))

    def _check_url(self, url: str) -> None:
        try:
            self._guard.check_url(url)
        except Invalid as error:
            raise Invalid.field("body.url", error.message) from None


def _test_event() -> Event:
    return Event(new_id("evt"), TEST_EVENT, TEST_DATA, None, utc_now())


def _check_secret(secret: str) -> None:
    try:
        decode_secret(secret)
    except ValueError as error:
        raise Invalid.field("body.secret", str(error)) from None


def _check_headers(headers: Mapping[str, str]) -> None:
    seen: set[str] = set()
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise Invalid.field("body.headers", f"{name!r} is no header name")
        if _OUR_HEADERS.fullmatch(name):
            raise Invalid.field(f"body.headers.{name}", "is set by Ogel")
        if name.lower() in seen:
            raise Invalid.field(f"body.headers.{name}", "is given twice; header names have no case")
        seen.add(name.lower())
        if not _HEADER_VALUE.fullmatch(value):
            raise Invalid.field(f"body.headers.{name}", "takes 1 to 1000 printable ASCII characters")


def _found(endpoint: Endpoint | None, id: str) -> Endpoint:
    if endpoint is None:
        raise NotFound(f"No webhook {id!r}.")
    return endpoint


def _found_delivery(delivery: Delivery | None, id: str) -> Delivery:
    if delivery is None:
        raise NotFound(f"No delivery {id!r}.")
    return delivery
