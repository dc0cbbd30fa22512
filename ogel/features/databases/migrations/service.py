"""The rules of migrating a registered database."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.databases.ask import Asking
from ogel.features.databases.migrations.job import migrate_job
from ogel.features.databases.migrations.migration import NewRun, Plan, Run
from ogel.features.databases.migrations.plan import in_order, plan
from ogel.features.databases.migrations.store import MigrationStore
from ogel.features.databases.registry.store import RegistryStore
from ogel.features.databases.registry.targets import not_found, only_postgresql
from ogel.kernel.errors import Conflict, NotFound
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.database.registered import ExternalDatabases
from ogel.runtime.jobs.job import job_id_of
from ogel.runtime.jobs.store import JobQueue


class MigrationService:
    def __init__(
        self,
        database: Database,
        registry: RegistryStore,
        store: MigrationStore,
        asking: Asking,
        external: ExternalDatabases,
        jobs: JobQueue,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._registry = registry
        self._store = store
        self._asking = asking
        self._external = external
        self._jobs = jobs
        self._audit = audit

    async def plan(self, key: str, new: NewRun) -> Plan:
        """Returns what a run would do now; changes nothing."""
        files = in_order(new.files)
        id = await self._id_of(key)
        return plan(id, files, await self._asking.postgresql(key, self._external.applied))

    async def start(self, caller: Caller, key: str, new: NewRun) -> Run:
        """Only one run at a time for each database."""
        files = in_order(new.files)
        id = new_id("dbm")
        async with self._database.transaction() as tx:
            database = await self._registry.lock(tx, key)
            if database is None:
                raise not_found(key)
            only_postgresql(database.type)
            if not await self._store.insert(tx, id, database.id, files):
                running = await self._store.unfinished(tx, database.id)
                raise Conflict(
                    f"Database {key!r} is being migrated by {running!r}: wait for it or cancel it."
                )
            await self._jobs.enqueue(tx, [migrate_job(id, database.id)])
            metadata = {"run": id, "files": len(files)}
            await self._audit.record(tx, caller, "database.migrate", "database", database.id, metadata)
            return await self._get(tx, database.id, id)

    async def get(self, key: str, id: str) -> Run:
        async with self._database.autocommit() as tx:
            return await self._get(tx, await self._found(tx, key), id)

    async def list(self, key: str, after: str | None, limit: int) -> Sequence[Run]:
        async with self._database.autocommit() as tx:
            database_id = await self._found(tx, key)
            return await self._store.list(tx, {"database_id": database_id, "after": after, "limit": limit})

    async def cancel(self, caller: Caller, key: str, id: str) -> Run:
        """Takes effect at once when no worker has the run, otherwise after the present file."""
        async with self._database.transaction() as tx:
            database_id = await self._found(tx, key)
            run = await self._get(tx, database_id, id)
            if run.status != "running":
                raise Conflict(f"Run {id!r} is {run.status}.")
            # The job is locked first, as workers do; discarding it cancels the run.
            if not await self._jobs.discard(tx, job_id_of(id)):
                await self._store.ask_to_cancel(tx, id)
            await self._audit.record(
                tx, caller, "database.cancel_migration", "database", database_id, {"run": id}
            )
            return await self._get(tx, database_id, id)

    async def _id_of(self, key: str) -> str:
        async with self._database.autocommit() as tx:
            return await self._found(tx, key)

    async def _found(self, tx: Transaction, key: str) -> str:
        database = await self._registry.get(tx, key)
        if database is None:
            raise not_found(key)
        return database.id

    async def _get(self, tx: Transaction, database_id: str, id: str) -> Run:
        run = await self._store.get(tx, database_id, id)
        if run is None:
            raise NotFound(f"No run {id!r} of database {database_id!r}.")
        return run
