"""The manifest of backups, and how their parts fit together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import cached_property

from msgspec import Struct

from ogel.features.backups.create import COMPLETED, FAILED, QUEUE, CreateBackup
from ogel.features.backups.dump import Dump
from ogel.features.backups.manifest import (
    FOLDER,
    MANIFEST,
    BackupLocation,
    Manifest,
    Unusable,
    place_of,
    read_manifest,
)
from ogel.features.backups.remove import RemoveObjects
from ogel.features.backups.restore import Restore, SchemaMigrations
from ogel.features.backups.service import BEGIN, BackupService
from ogel.features.backups.settings import BackupsSettings
from ogel.features.backups.store import BackupStore
from ogel.features.backups.verify import VerifyBackup
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.schedule.schedule import Schedule

LEFT_OUT = {"schema_migrations": "a restore applies the migrations, and writes this itself"}


class Stored(Struct, frozen=True):
    """A backup found in the store. It has an error when its manifest cannot be read."""

    id: str
    manifest: Manifest | None = None
    error: str | None = None


class BackupFeature:
    def __init__(self, core: Core, settings: BackupsSettings) -> None:
        self._core = core
        self._store = BackupStore()
        self.service = BackupService(core.database, self._store, core.jobs, core.audit)
        self._create = CreateBackup(
            core.database,
            core.objects,
            core.vault,
            self._store,
            Dump(core.database, core.vault, lambda: self.left_out),
            core.jobs,
            core.outbox,
            core.audit,
            settings.keep,
            core.retention_days,
        )
        self._verify = VerifyBackup(core.database, core.objects, core.vault, self._store)
        self._remove = RemoveObjects(core.database, core.objects, self._store)

    def kinds(self) -> list[JobKind]:
        return [
            JobKind(BEGIN, queue=QUEUE, perform=self.service.begin_scheduled),
            self._create.kind(),
            self._verify.kind(QUEUE),
            self._remove.kind(QUEUE),
        ]

    def routes(self) -> Sequence[Route]:
        from ogel.features.backups.routes import BackupRoutes

        return BackupRoutes(self.service).routes()

    @cached_property
    def left_out(self) -> frozenset[str]:
        """
        The tables that no feature wants backed up. Asked when a dump is made or restored, because all features are
        known only then.
        """
        return frozenset(table for feature in self._core.features.all() for table in feature.left_out)

    def place(self, id: str) -> BackupLocation:
        return place_of(self._core.objects, id)

    async def stored(self) -> AsyncIterator[Stored]:
        """Lists the backups in the store, oldest first, whether or not the database knows them."""
        keys = [
            entry.key async for entry in self._core.objects.list(FOLDER) if entry.key.endswith(f"/{MANIFEST}")
        ]
        for folder in sorted(key.removesuffix(MANIFEST) for key in keys):
            id = folder.removeprefix(FOLDER).removesuffix("/")
            try:
                yield Stored(
                    id, await read_manifest(BackupLocation(self._core.objects, folder), self._core.vault)
                )
            except Unusable as error:
                yield Stored(id, error=error.message)

    def restore(self, schema: SchemaMigrations, restored: Sequence[bytes]) -> Restore:
        core = self._core
        return Restore(core.database, core.vault, schema, restored, self.left_out, self._store, core.audit)


def build(core: Core, settings: BackupsSettings) -> Feature:
    backups = BackupFeature(core, settings)
    return Feature(
        name="backups",
        routes=backups.routes,
        scopes={"backups:read": "look at backups", "backups:write": "make, verify and delete them"},
        jobs=backups.kinds(),
        schedules=SCHEDULES,
        events={COMPLETED: "a backup is complete", FAILED: "a backup was given up"},
        tables=["backups"],
        left_out=LEFT_OUT,
        settings=settings,
        offers=backups,
    )


SCHEDULES = [
    Schedule(
        "backups.create",
        cron="0 3 * * *",
        kind=BEGIN,
        description="Makes a backup; of these, the newest OGEL_BACKUP_KEEP are kept.",
        enabled=False,
    )
]
