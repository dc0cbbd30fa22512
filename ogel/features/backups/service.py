"""The rules of backups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from ogel.features.backups.backup import Backup, NewBackup
from ogel.features.backups.create import create_job
from ogel.features.backups.remove import remove_job
from ogel.features.backups.store import BackupStore
from ogel.features.backups.verify import verify_job
from ogel.kernel.errors import Conflict, NotFound
from ogel.kernel.ids import new_id
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.store import JobQueue

log = structlog.get_logger(__name__)

BEGIN = "backups.begin"


class BackupService:
    def __init__(self, database: Database, store: BackupStore, jobs: JobQueue, audit: AuditTrail) -> None:
        self._database = database
        self._store = store
        self._jobs = jobs
        self._audit = audit

    async def create(self, caller: Caller, new: NewBackup) -> Backup:
        """Starts a backup; only one can run at a time. Raises Conflict."""
        id = new_id("bak")
        async with self._database.transaction() as tx:
            if not await self._insert(tx, caller, id, new.note, scheduled=False):
                running = await self._store.running(tx)
                raise Conflict(f"Backup {running!r} is running: wait for it or delete it.")
            return await self._get(tx, id)

    async def begin_scheduled(self, job: Job, _: Any) -> None:
        """Performs the job kind `backups.begin`. One job makes one backup, however often it is performed."""
        id = f"bak_{job.id.removeprefix('job_')}"
        async with self._database.transaction() as tx:
            if not await self._insert(tx, Caller(SYSTEM, job.id), id, None, scheduled=True):
                log.warning("backup.not_begun", backup=id, running=await self._store.running(tx))

    async def get(self, id: str) -> Backup:
        async with self._database.autocommit() as tx:
            return await self._get(tx, id)

    async def list(self, filters: Mapping[str, Any]) -> Sequence[Backup]:
        async with self._database.autocommit() as tx:
            return await self._store.list(tx, filters)

    async def verify(self, caller: Caller, id: str) -> Backup:
        """Enqueues a job whose result the backup then shows. Raises Conflict when the backup is not complete."""
        async with self._database.transaction() as tx:
            backup = await self._get(tx, id)
            if not await self._store.begin_verifying(tx, id):
                raise Conflict(f"Backup {id!r} is {backup.status}.")
            await self._jobs.enqueue(tx, [verify_job(id)])
            await self._audit.record(tx, caller, "backup.verify", "backup", id)
            return await self._get(tx, id)

    async def delete(self, caller: Caller, id: str) -> None:
        """Stops the backup if it runs. A job removes its objects, because not every process can reach the store."""
        async with self._database.transaction() as tx:
            if not await self._store.delete(tx, id):
                raise _no_backup(id)
            await self._jobs.enqueue(tx, [remove_job(id)])
            await self._audit.record(tx, caller, "backup.delete", "backup", id)

    async def _insert(
        self, tx: Transaction, caller: Caller, id: str, note: str | None, scheduled: bool
    ) -> bool:
        if not await self._store.insert(tx, id, note, scheduled):
            return False
        await self._jobs.enqueue(tx, [create_job(id)])
        await self._audit.record(tx, caller, "backup.create", "backup", id)
        return True

    async def _get(self, tx: Transaction, id: str) -> Backup:
        backup = await self._store.get(tx, id)
        if backup is None:
            raise _no_backup(id)
        return backup


def _no_backup(id: str) -> NotFound:
    return NotFound(f"No backup {id!r}.")
