"""The rules of registering databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from ogel.features.databases.checks.job import check_job, check_key
from ogel.features.databases.migrations.job import migrate_key
from ogel.features.databases.queue import QUEUE
from ogel.features.databases.registry.address import DatabaseAddress, address_of, checked, read_url
from ogel.features.databases.registry.database import (
    PARTS,
    DatabaseChange,
    NewDatabase,
    RegisteredDatabase,
    password_hint,
)
from ogel.features.databases.registry.store import RegistryStore, SealedTarget
from ogel.features.databases.registry.targets import Targets, not_found
from ogel.kernel.errors import Conflict, Invalid
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.database.registered import ExternalDatabases, HostRefused
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.secrets.vault import Unsealable

# Each database costs a job every few minutes, and metrics.
MOST_DATABASES = 1_000
_IN_FLIGHT = 1
_SERVER = ("host", "port", "ssl_mode")


class RegistryService:
    def __init__(
        self,
        database: Database,
        store: RegistryStore,
        targets: Targets,
        external: ExternalDatabases,
        jobs: JobQueue,
        keys: JobKeys,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._store = store
        self._targets = targets
        self._external = external
        self._jobs = jobs
        self._keys = keys
        self._audit = audit

    async def create(self, caller: Caller, new: NewDatabase) -> RegisteredDatabase:
        """The first check follows at once."""
        address = address_of(new)
        self._check_host(address, "body.host" if new.url is None else "body.url")
        id = new_id("dbs")
        async with self._database.transaction() as tx:
            if await self._store.count(tx) >= MOST_DATABASES:
                raise Conflict(f"{MOST_DATABASES} databases are registered, which is the most.")
            row = {**self._row(id, address), "type": address.type, "name": new.name, "labels": new.labels}
            if not await self._store.insert(tx, row):
                raise _name_taken(new.name)
            for key in (check_key(id), migrate_key(id)):
                await self._keys.set(tx, key, _IN_FLIGHT)
            await self._jobs.enqueue(tx, [check_job(id, version=1)])
            await self._audit.record(tx, caller, "database.create", "database", id, _facts(new.name, address))
            return await self._get(tx, id)

    async def get(self, key: str) -> RegisteredDatabase:
        """Finds a database by id or name."""
        async with self._database.autocommit() as tx:
            return await self._get(tx, key)

    async def list(self, filters: Mapping[str, Any]) -> Sequence[RegisteredDatabase]:
        async with self._database.autocommit() as tx:
            return await self._store.list(tx, filters)

    async def change(self, caller: Caller, key: str, change: DatabaseChange) -> RegisteredDatabase:
        """
        A database with a new address or user is checked again. Raises Conflict for such a change while it is being
        migrated.
        """
        wanted = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
        async with self._database.transaction() as tx:
            before = await self._lock(tx, key)
            id = before.id
            if "name" in wanted and not await self._store.rename(tx, id, wanted["name"]):
                raise _name_taken(wanted["name"])
            if "labels" in wanted:
                await self._store.relabel(tx, id, wanted["labels"])
            if wanted.keys() & {"url", *PARTS}:
                await self._refuse_migrating(tx, before, "changed")
                address = self._moved(before, wanted)
                self._check_host(address, "body.url" if "url" in wanted else "body.host")
                # The job is locked first, as workers do when they record a result.
                await self._jobs.enqueue(tx, [check_job(id, before.version + 1)])
                await self._store.move(tx, self._row(id, address))
                await self._keys.wake(tx, QUEUE, check_key(id))
            await self._audit.record(
                tx, caller, "database.update", "database", id, {"changed": sorted(wanted)}
            )
            return await self._get(tx, id)

    async def delete(self, caller: Caller, key: str) -> None:
        """The database itself is left as it is."""
        async with self._database.transaction() as tx:
            before = await self._lock(tx, key)
            await self._refuse_migrating(tx, before, "removed")
            name = (await self._get(tx, before.id)).name
            await self._store.delete(tx, before.id)
            for job_key in (check_key(before.id), migrate_key(before.id)):
                await self._keys.drop(tx, QUEUE, job_key)
            await self._audit.record(tx, caller, "database.delete", "database", before.id, {"name": name})

    def _moved(self, before: SealedTarget, wanted: Mapping[str, Any]) -> DatabaseAddress:
        """Raises Invalid."""
        if "url" in wanted:
            if both := sorted(wanted.keys() & set(PARTS)):
                raise Invalid.field(f"body.{both[0]}", "is part of body.url already; send one or the other")
            address = read_url(wanted["url"])
            if address.type != before.type:
                raise Invalid.field("body.url", f"is a {address.type} URL; the type stays {before.type}")
            return address
        parts = {name: value for name, value in wanted.items() if name in PARTS}
        elsewhere = any(name in parts and parts[name] != getattr(before, name) for name in _SERVER)
        if elsewhere and before.sealed_password is not None and "password" not in parts:
            raise Invalid.field(
                "body.password",
                "must be sent again with another host, port or ssl_mode: the stored one goes to no other server",
            )
        if "password" not in parts:
            parts["password"] = self._stored_password(before)
        names = (*PARTS, "type", "auth_source")
        kept = {name: getattr(before, name) for name in names if name != "password"}
        return checked(DatabaseAddress(**kept | parts))

    def _stored_password(self, before: SealedTarget) -> str | None:
        try:
            return self._targets.password(before)
        except Unsealable as error:
            raise Invalid.field(
                "body.password", f"must be sent again: the stored one cannot be read, it was {error}"
            ) from None

    def _row(self, id: str, address: DatabaseAddress) -> dict[str, Any]:
        return {
            "id": id,
            **msgspec.structs.asdict(address),
            "sealed_password": self._targets.sealed(id, address.password),
            "password_hint": password_hint(address.password),
        }

    def _check_host(self, address: DatabaseAddress, path: str) -> None:
        try:
            self._external.check_host(address.host)
        except HostRefused:
            raise Invalid.field(
                path, "this host is not allowed: link-local, metadata and multicast addresses are refused"
            ) from None

    async def _refuse_migrating(self, tx: Transaction, database: SealedTarget, verb: str) -> None:
        if await self._store.is_migrating(tx, database.id):
            raise Conflict(f"Database {database.id!r} is being migrated; it can be {verb} after that.")

    async def _lock(self, tx: Transaction, key: str) -> SealedTarget:
        found = await self._store.lock(tx, key)
        if found is None:
            raise not_found(key)
        return found

    async def _get(self, tx: Transaction, key: str) -> RegisteredDatabase:
        found = await self._store.get(tx, key)
        if found is None:
            raise not_found(key)
        return found


def _name_taken(name: str) -> Conflict:
    return Conflict(f"The name {name!r} is taken.")


def _facts(name: str, address: DatabaseAddress) -> dict[str, object]:
    return {"name": name, "type": address.type, "host": address.host, "database": address.database}
