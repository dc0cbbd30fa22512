"""The rules of endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.webhooks.deliveries.job import QUEUE
from ogel.features.webhooks.endpoints.endpoint import (
    CreatedEndpoint,
    Endpoint,
    EndpointChange,
    EndpointWithHealth,
    NewEndpoint,
)
from ogel.features.webhooks.endpoints.headers import check_headers, hints, seal_headers
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.features.webhooks.endpoints.url import without_query
from ogel.features.webhooks.fanout.filter import FilterError, parse
from ogel.features.webhooks.health.health import WELL
from ogel.features.webhooks.health.store import EndpointHealthStore
from ogel.features.webhooks.listeners.forgetting import forget_job
from ogel.features.webhooks.listeners.store import ListenerStore
from ogel.features.webhooks.replays.store import ReplayStore
from ogel.features.webhooks.secrets.secret import Secret
from ogel.features.webhooks.secrets.service import SecretService, given_secret
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.egress import UrlGuard
from ogel.runtime.jobs.keys import JobKeys, Rate
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.secrets.vault import Vault

MOST_LISTENERS = 100


class EndpointService:
    def __init__(
        self,
        database: Database,
        store: EndpointStore,
        keys: JobKeys,
        health: EndpointHealthStore,
        secrets: SecretService,
        replays: ReplayStore,
        listeners: ListenerStore,
        jobs: JobQueue,
        guard: UrlGuard,
        vault: Vault,
        audit: AuditTrail,
        default_timeout_seconds: float,
    ) -> None:
        self._database = database
        self._store = store
        self._keys = keys
        self._health = health
        self._secrets = secrets
        self._replays = replays
        self._listeners = listeners
        self._jobs = jobs
        self._guard = guard
        self._vault = vault
        self._audit = audit
        self._default_timeout_seconds = default_timeout_seconds

    async def create(self, caller: Caller, new: NewEndpoint) -> CreatedEndpoint:
        if new.kind == "url":
            await self.check_url(new.url)
        check_headers(new.headers)
        _check_filter(new.filter)
        secret = _first_secret(new)
        async with self._database.transaction() as tx:
            if new.kind == "listener" and await self._listeners.count(tx, MOST_LISTENERS) == MOST_LISTENERS:
                raise Conflict(f"{MOST_LISTENERS} listeners are connected already.")
            created = await self.insert(tx, caller, new, secret)
            if new.kind == "listener":
                await self._listeners.add(tx, created.id)
                await self._jobs.enqueue(tx, [forget_job(created.id)])
            return created

    async def get(self, id: str) -> EndpointWithHealth:
        async with self._database.autocommit() as tx:
            endpoint = found(await self._store.get(tx, id), id)
            return (await self._with_health(tx, [endpoint]))[0]

    async def list(self, after: str | None, limit: int) -> Sequence[EndpointWithHealth]:
        async with self._database.autocommit() as tx:
            return await self._with_health(tx, await self._store.list(tx, after, limit))

    async def _with_health(
        self, tx: Transaction, endpoints: Sequence[Endpoint]
    ) -> Sequence[EndpointWithHealth]:
        health = await self._health.of(tx, [endpoint.id for endpoint in endpoints])
        return [
            EndpointWithHealth(**msgspec.structs.asdict(endpoint), health=health.get(endpoint.id, WELL))
            for endpoint in endpoints
        ]

    async def change(self, caller: Caller, id: str, change: EndpointChange) -> Endpoint:
        """
        A change of state resets the health of the endpoint: earlier failures are forgotten, because a time without
        deliveries must not count as failing, and waiting deliveries are sent at a rising rate.
        """
        wanted = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET
        }
        if "url" in wanted:
            await self.check_url(wanted["url"])
        check_headers(wanted.get("headers", {}))
        _check_filter(wanted.get("filter"))
        async with self._database.transaction() as tx:
            before = found(await self._store.lock(tx, id), id)
            if wanted.get("compatibility") is not None:
                await self._secrets.check_shared(tx, id)
            if "headers" in wanted:
                sealed = seal_headers(self._vault, id, wanted["headers"])
                await self._store.replace_headers(tx, id, sealed, hints(wanted["headers"]))
            reason = before.disabled_reason if wanted.get("state") is None else None
            values = msgspec.structs.asdict(before) | wanted | {"disabled_reason": reason}
            after = await self._store.update(tx, values)
            if after.state == "paused":
                await self._keys.hold(tx, id)
            elif after.state == "enabled" and before.state != "enabled":
                await self._keys.release(tx, QUEUE, id)
            if after.state != before.state and await self._health.forget(tx, id):
                await self._keys.recover(tx, QUEUE, id)
            await self._set_key(tx, after)
            await self._audit.record(tx, caller, "webhook.update", "webhook", id, {"changed": sorted(wanted)})
        return after

    async def delete(self, caller: Caller, id: str) -> None:
        """Waiting deliveries are cancelled; the log of attempts stays until its retention ends."""
        async with self._database.transaction() as tx:
            await self.remove(tx, caller, found(await self._store.lock(tx, id), id))

    async def remove(self, tx: Transaction, caller: Caller, endpoint: Endpoint) -> None:
        """The caller has locked the endpoint."""
        await self._store.delete(tx, endpoint.id)
        await self._replays.cancel_of_webhook(tx, endpoint.id)
        await self._keys.drop(tx, QUEUE, endpoint.id)
        metadata = {"url": without_query(endpoint.url)}
        await self._audit.record(tx, caller, "webhook.delete", "webhook", endpoint.id, metadata)

    async def insert(
        self, tx: Transaction, caller: Caller, new: NewEndpoint, secret: Secret
    ) -> CreatedEndpoint:
        """The caller has validated `new`."""
        id = new_id("wh")
        timeout = new.timeout_seconds
        row = {
            **msgspec.structs.asdict(new),
            "id": id,
            "timeout_seconds": self._default_timeout_seconds if timeout is None else timeout,
            "sealed_headers": seal_headers(self._vault, id, new.headers),
            "header_hints": hints(new.headers),
        }
        endpoint = await self._store.insert(tx, row)
        await self._secrets.add(tx, id, secret)
        await self._set_key(tx, endpoint)
        metadata = {"url": without_query(endpoint.url), "events": endpoint.events}
        await self._audit.record(tx, caller, "webhook.create", "webhook", id, metadata)
        return CreatedEndpoint(
            **msgspec.structs.asdict(endpoint),
            signing=secret.signing,
            secret=secret.text,
            public_key=secret.public_key,
        )

    async def _set_key(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Sets the rate and pause that claims of this endpoint's deliveries follow."""
        rate = None
        if (limit := endpoint.rate_limit) is not None:
            rate = Rate(limit.per_second, limit.burst_or_default)
        await self._keys.set(tx, endpoint.id, endpoint.max_in_flight, rate)

    async def check_url(self, url: str) -> None:
        try:
            await self._guard.check_url(url)
        except Invalid as error:
            raise Invalid.field("body.url", error.message) from None


def _first_secret(new: NewEndpoint) -> Secret:
    """Generated, unless the caller supplies one."""
    given = new.secret
    secret = Secret.new(new.signing or "v1") if given is None else given_secret(given, new.signing)
    if new.compatibility is not None and secret.signing != "v1":
        raise Invalid.field("body.compatibility", "needs a shared key: a secret for v1")
    return secret


def _check_filter(filter: Mapping[str, Any] | None) -> None:
    if filter is None:
        return
    try:
        parse(filter)
    except FilterError as error:
        raise Invalid.field(f"body.filter{error.path}", error.message) from None


def found(endpoint: Endpoint | None, id: str) -> Endpoint:
    if endpoint is None:
        raise NotFound(f"No webhook {id!r}.")
    return endpoint
