"""The manifest of backups, and how their parts fit together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

from ogel.features.backups.create import COMPLETED, FAILED, QUEUE, CreateBackup
from ogel.features.backups.dump import Dump
from ogel.features.backups.manifest import (
    FOLDER,
    MANIFEST,
    Manifest,
    Place,
    Unusable,
    place_of,
    read_manifest,
)
from ogel.features.backups.remove import RemoveObjects
from ogel.features.backups.restore import Restore, Schema
from ogel.features.backups.service import BEGIN, BackupService
from ogel.features.backups.store import BackupStore
from ogel.features.backups.verify import VerifyBackup
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.objects import ObjectStore
from ogel.runtime.outbox import Outbox
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.secrets.vault import Vault

LEFT_OUT = {"schema_migrations": "a restore applies the migrations, and writes this itself"}


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """Of those made by the schedule, `keep` are kept; failures are remembered for `retention_days`."""

    keep: int
    retention_days: float


@dataclass(frozen=True, slots=True)
class Stored:
    """A backup that is in the store; without a manifest that can be read, it has an error."""

    id: str
    manifest: Manifest | None = None
    error: str | None = None


class BackupFeature:
    """`left_out` are tables of all features together; see Feature."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        vault: Vault,
        jobs: JobQueue,
        outbox: Outbox,
        audit: AuditTrail,
        left_out: Collection[str],
        options: BackupOptions,
    ) -> None:
        self._database = database
        self._objects = objects
        self._vault = vault
        self.left_out = frozenset({*left_out, *LEFT_OUT})
        self._store = BackupStore()
        self._audit = audit
        self.service = BackupService(database, self._store, jobs, audit)
        self._create = CreateBackup(
            database,
            objects,
            vault,
            self._store,
            Dump(database, vault, self.left_out),
            jobs,
            outbox,
            audit,
            options.keep,
            options.retention_days,
        )
        self._verify = VerifyBackup(database, objects, vault, self._store)
        self._remove = RemoveObjects(database, objects, self._store)

    def feature(self) -> Feature:
        return Feature(
            name="backups",
            routes=self._routes,
            jobs=[
                JobKind(BEGIN, queue=QUEUE, perform=self.service.begin_scheduled),
                self._create.kind(),
                self._verify.kind(QUEUE),
                self._remove.kind(QUEUE),
            ],
            schedules=SCHEDULES,
            events={COMPLETED: "a backup is complete", FAILED: "a backup was given up"},
            left_out=LEFT_OUT,
        )

    def _routes(self) -> Sequence[Route]:
        from ogel.features.backups.routes import BackupRoutes

        return BackupRoutes(self.service).routes()

    def place(self, id: str) -> Place:
        return place_of(self._objects, id)

    async def stored(self) -> AsyncIterator[Stored]:
        """What is in the store, whatever the database knows; the oldest first."""
        keys = [entry.key async for entry in self._objects.list(FOLDER) if entry.key.endswith(f"/{MANIFEST}")]
        for folder in sorted(key.removesuffix(MANIFEST) for key in keys):
            id = folder.removeprefix(FOLDER).removesuffix("/")
            try:
                yield Stored(id, await read_manifest(Place(self._objects, folder), self._vault))
            except Unusable as error:
                yield Stored(id, error=error.message)

    def restore(self, schema: Schema, restored: Sequence[bytes]) -> Restore:
        return Restore(self._database, self._vault, schema, restored, self.left_out, self._store, self._audit)


SCHEDULES = [
    Schedule(
        "backups.create",
        cron="0 3 * * *",
        kind=BEGIN,
        description="Makes a backup; of these, the newest OGEL_BACKUP_KEEP are kept.",
        enabled=False,
    )
]
