"""Requesting a check, and reading the result of the last one."""

from __future__ import annotations

from ogel.features.databases.checks.job import check_job, check_key
from ogel.features.databases.checks.store import DatabaseHealthStore
from ogel.features.databases.queue import QUEUE
from ogel.features.databases.registry.database import RegisteredDatabase, Stats
from ogel.features.databases.registry.store import RegistryStore
from ogel.features.databases.registry.targets import not_found
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.store import JobQueue


class CheckService:
    def __init__(
        self,
        database: Database,
        registry: RegistryStore,
        health: DatabaseHealthStore,
        jobs: JobQueue,
        keys: JobKeys,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._registry = registry
        self._health = health
        self._jobs = jobs
        self._keys = keys
        self._audit = audit

    async def ask(self, caller: Caller, key: str) -> RegisteredDatabase:
        """
        Returns the database as it is before the check, which a worker does soon; `check.checked_at` changes when it
        has.
        """
        async with self._database.transaction() as tx:
            found = await self._registry.get(tx, key)
            if found is None:
                raise not_found(key)
            jobs = [check_job(each.id, each.version) for each in await self._registry.targets(tx, [found.id])]
            await self._jobs.enqueue(tx, jobs)
            await self._keys.wake(tx, QUEUE, check_key(found.id))
            await self._audit.record(tx, caller, "database.check", "database", found.id)
            return found

    async def stats(self, key: str) -> Stats:
        async with self._database.autocommit() as tx:
            found = await self._health.stats(tx, key)
        if found is None:
            raise not_found(key)
        return found
