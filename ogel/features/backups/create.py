"""The job that makes a backup. Each attempt is a new run, until one has written its manifest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from ogel.features.backups.chunks import check_chunks
from ogel.features.backups.dump import MOST_SECONDS, Dump, Tell
from ogel.features.backups.manifest import (
    FOLDER,
    MANIFEST,
    BackupLocation,
    Manifest,
    Unusable,
    place_of,
    read_manifest,
    write_manifest,
)
from ogel.features.backups.remove import remove_job
from ogel.features.backups.store import BackupStore, Copied
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Unavailable
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, DatabaseAway, Transaction
from ogel.runtime.database.patience import patience
from ogel.runtime.jobs.job import Finished, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.progress import report
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.objects import ObjectStore, StoreFull, delete_all
from ogel.runtime.outbox import Outbox
from ogel.runtime.secrets.vault import Vault

log = structlog.get_logger(__name__)

QUEUE = "backups"
CREATE = "backups.create"
COMPLETED, FAILED = "backup.completed", "backup.failed"

TELL_SECONDS = 1.0
# The time limit of the last step, which locks the backup's row: others wait for it.
MANIFEST_SECONDS = 45.0
# An unfinished upload is invisible, and no upload takes this long.
_LEFT_BEHIND = timedelta(days=1)


def create_job(backup_id: str) -> NewJob:
    return NewJob(CREATE, {"backup": backup_id}, dedupe_key=f"{CREATE}:{backup_id}")


class Overtaken(Exception):
    """
    Another run has begun, or the backup was deleted, so this run must write nothing more.

    The job of a deleted backup may end after the job that removes its objects; so it removes what its runs wrote.
    """

    def __init__(self, deleted: bool = False) -> None:
        self.deleted = deleted


class CreateBackup:
    """
    The job kind `backups.create`; its payload is `{"backup": "bak_…"}`.

    A snapshot ends with its transaction, so an interrupted dump cannot be continued. The next attempt is a new run
    with its own snapshot and folder; it removes what earlier runs left. The manifest names exactly one run.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        vault: Vault,
        store: BackupStore,
        dump: Dump,
        jobs: JobQueue,
        outbox: Outbox,
        audit: AuditTrail,
        keep: int,
        retention_days: float,
    ) -> None:
        self._database = database
        self._objects = objects
        self._vault = vault
        self._store = store
        self._dump = dump
        self._jobs = jobs
        self._outbox = outbox
        self._audit = audit
        self._keep = keep
        self._retention = timedelta(days=retention_days)

    def kind(self) -> JobKind:
        return JobKind(
            CREATE,
            queue=QUEUE,
            perform=self.perform,
            record=self.record,
            discarded=self.discarded,
            revived=self.revived,
            timeout_seconds=MOST_SECONDS,
            backoff=RetryPolicy.doubling(first_seconds=30.0, cap_seconds=900.0),
        )

    async def perform(self, job: Job, _: Any) -> Outcome | None:
        id, run = job.payload["backup"], new_id("run")
        place = place_of(self._objects, id)
        try:
            note = await self._begin(place, id, run)
            await delete_all(self._objects, place.folder)
            with patience(MOST_SECONDS):
                manifest = await self._dump.take(place, id, run, note, self._tell(id, run))
            await self._check_ours(id, run)
            await check_chunks(place, manifest)
            await self._complete(place, manifest)
            await delete_all(self._objects, place.folder, but=(place.key(f"{run}/"), place.key(MANIFEST)))
        except Overtaken as error:
            log.info("backup.overtaken", backup=id, run=run, deleted=error.deleted)
            await delete_all(self._objects, place.folder if error.deleted else place.key(f"{run}/"))
        except DatabaseAway:
            raise
        except StoreFull as error:
            log.error("backup.store_full", backup=id, error=error.message)
            await delete_all(self._objects, place.key(f"{run}/"))
            return Outcome("dead", error.message)
        except Unavailable as error:
            log.warning("backup.store_away", backup=id, attempt=job.attempts, error=error.message)
            return Outcome("retry", error.message)
        return None

    async def _begin(self, place: BackupLocation, id: str, run: str) -> str | None:
        """Returns the backup's note. Raises Overtaken when there is nothing to do."""
        async with self._database.autocommit() as tx:
            former = await self._store.run_of(tx, id)
            backup = await self._store.get(tx, id)
        if former is None or backup is None:
            raise Overtaken(deleted=backup is None)
        if former and await self._adopt(place, former):
            raise Overtaken
        await self._objects.sweep(FOLDER, utc_now() - _LEFT_BEHIND)
        async with self._database.autocommit() as tx:
            if not await self._store.begin_run(tx, id, former, run):
                raise Overtaken
        return backup.note

    async def _adopt(self, place: BackupLocation, run: str) -> bool:
        """Completes a backup whose worker died after it had written the manifest and before it had recorded that."""
        try:
            manifest = await read_manifest(place, self._vault)
        except Unusable:
            return False
        if manifest.run != run:
            return False
        async with self._database.transaction() as tx:
            await self._say_completed(tx, manifest)
        return True

    async def _complete(self, place: BackupLocation, manifest: Manifest) -> None:
        async with self._database.transaction() as tx:
            if not await self._store.hold_run(tx, manifest.id, manifest.run):
                raise await self._overtaken(tx, manifest.id)
            try:
                async with asyncio.timeout(MANIFEST_SECONDS):
                    await write_manifest(place, self._vault, manifest)
            except TimeoutError:
                raise Unavailable(
                    f"The store did not take the manifest within {MANIFEST_SECONDS:g} s."
                ) from None
            await self._say_completed(tx, manifest)

    async def _say_completed(self, tx: Transaction, manifest: Manifest) -> None:
        if not await self._store.complete(tx, manifest):
            return
        facts = {
            "backup": manifest.id,
            "taken_at": manifest.taken_at,
            "tables": len(manifest.tables),
            "rows": manifest.rows,
            "size": manifest.size,
        }
        await self._publish(tx, COMPLETED, facts)
        forgotten = await self._store.prune(tx, self._keep, utc_now() - self._retention)
        await self._jobs.enqueue(tx, [remove_job(id) for id in forgotten])
        for id in forgotten:
            await self._audit.record(tx, Caller(SYSTEM, manifest.run), "backup.delete", "backup", id)
        log.info("backup.completed", backup=manifest.id, rows=manifest.rows, size=manifest.size)

    def _tell(self, id: str, run: str) -> Tell:
        told_at = -TELL_SECONDS

        async def tell(copied: Copied) -> None:
            nonlocal told_at
            report(copied.bytes, copied.expected_bytes, f"{copied.tables} tables, {copied.rows} rows")
            if time.monotonic() - told_at < TELL_SECONDS:
                return
            told_at = time.monotonic()
            async with self._database.autocommit() as tx:
                if not await self._store.advance(tx, id, run, copied):
                    raise await self._overtaken(tx, id)

        return tell

    async def _check_ours(self, id: str, run: str) -> None:
        """
        Asks once more at the end: a short dump ends before its first progress report, and the chunks of a deleted
        backup must not be taken for missing.
        """
        async with self._database.autocommit() as tx:
            if not await self._store.hold_run(tx, id, run):
                raise await self._overtaken(tx, id)

    async def _overtaken(self, tx: Transaction, id: str) -> Overtaken:
        return Overtaken(deleted=await self._store.left_behind(tx, id) is None)

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        for each in finished:
            id, outcome = each.job.payload["backup"], each.outcome
            if outcome.verdict == "dead":
                await self._fail(tx, id, outcome.error or "its job is dead")
            elif outcome.error is not None:
                await self._store.note_error(tx, id, outcome.error)

    async def discarded(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        for payload in payloads:
            await self._fail(tx, payload["backup"], "its job was discarded")

    async def revived(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        for payload in payloads:
            await self._store.go_on(tx, payload["backup"])

    async def _fail(self, tx: Transaction, id: str, error: str) -> None:
        if await self._store.fail(tx, id, error):
            log.error("backup.failed", backup=id, error=error)
            await self._jobs.enqueue(tx, [remove_job(id)])
            await self._publish(tx, FAILED, {"backup": id, "error": error})
        elif await self._store.left_behind(tx, id) is None:
            # It was deleted meanwhile, and its removal may have ended before this run's last chunk was written.
            await self._jobs.enqueue(tx, [remove_job(id)])

    async def _publish(self, tx: Transaction, type: str, facts: Mapping[str, Any]) -> None:
        event = Event(new_id("evt"), type, msgspec.json.encode(facts), facts["backup"], utc_now())
        await self._outbox.publish(tx, [event])
