"""The rules of endpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.audit.contract import AuditTrail
from ogel.features.webhooks.deliveries.store import DeliveryStore
from ogel.features.webhooks.endpoints.endpoint import CreatedEndpoint, Endpoint, EndpointChange, NewEndpoint
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.features.webhooks.secrets.signature import decode_secret, new_secret, secret_purpose
from ogel.kernel.errors import Invalid, NotFound
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.database import Database, Session
from ogel.runtime.egress import UrlGuard
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.vault import Vault

# RFC 9110 §5.1 and §5.5; and the names that are ours to set.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]{0,998}[\x21-\x7e])?")
_OUR_HEADERS = re.compile(
    r"(?i)webhook-.*|host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|"
    r"proxy-.*|user-agent|accept-encoding"
)


class EndpointService:
    def __init__(
        self,
        database: Database,
        store: EndpointStore,
        deliveries: DeliveryStore,
        jobs: JobQueue,
        guard: UrlGuard,
        vault: Vault,
        audit: AuditTrail,
        default_timeout_seconds: float,
    ) -> None:
        self._database = database
        self._store = store
        self._deliveries = deliveries
        self._jobs = jobs
        self._guard = guard
        self._vault = vault
        self._audit = audit
        self._default_timeout_seconds = default_timeout_seconds

    async def create(self, caller: Caller, new: NewEndpoint) -> CreatedEndpoint:
        self.check_url(new.url)
        _check_headers(new.headers)
        secret = new.secret or new_secret()
        _check_secret(secret)
        async with self._database.transaction() as tx:
            return await self.insert(tx, caller, msgspec.structs.asdict(new), secret)

    async def get(self, id: str) -> Endpoint:
        async with self._database.session() as session:
            return found(await self._store.get(session, id), id)

    async def list(self, after: str | None, limit: int) -> Sequence[Endpoint]:
        async with self._database.session() as session:
            return await self._store.list(session, after, limit)

    async def change(self, caller: Caller, id: str, change: EndpointChange) -> Endpoint:
        wanted = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET
        }
        if "url" in wanted:
            self.check_url(wanted["url"])
        _check_headers(wanted.get("headers", {}))
        async with self._database.transaction() as tx:
            before = found(await self._store.lock(tx, id), id)
            after = await self._store.update(tx, msgspec.structs.asdict(before) | wanted)
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
            endpoint = found(await self._store.lock(tx, id), id)
            await self._store.delete(tx, id)
            await self._deliveries.cancel_all(tx, id)
            await self._jobs.discard_key(tx, id)
            await self._audit.record(tx, caller, "webhook.delete", "webhook", id, {"url": endpoint.url})

    async def insert(
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
        endpoint = await self._store.insert(tx, row)
        metadata = {"url": endpoint.url, "events": endpoint.events}
        await self._audit.record(tx, caller, "webhook.create", "webhook", id, metadata)
        return CreatedEndpoint(**msgspec.structs.asdict(endpoint), secret=secret)

    async def replace_secret(self, tx: Session, id: str, secret: str) -> None:
        await self._store.replace_secret(tx, id, self._seal(id, secret))

    def _seal(self, id: str, secret: str) -> bytes:
        return self._vault.seal(decode_secret(secret), secret_purpose(id))

    def check_url(self, url: str) -> None:
        try:
            self._guard.check_url(url)
        except Invalid as error:
            raise Invalid.field("body.url", error.message) from None


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


def found(endpoint: Endpoint | None, id: str) -> Endpoint:
    if endpoint is None:
        raise NotFound(f"No webhook {id!r}.")
    return endpoint
