"""Restores a backup into an empty database, in one transaction."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import datetime

import psycopg
import structlog
from msgspec import Struct

from ogel.features.backups import catalog
from ogel.features.backups.catalog import TableName
from ogel.features.backups.chunks import check_chunks, unpack
from ogel.features.backups.manifest import (
    BackupLocation,
    Chunk,
    Manifest,
    SchemaStep,
    TableDump,
    Unusable,
    check_schema,
    read_manifest,
)
from ogel.features.backups.store import BackupStore
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Queries, Transaction
from ogel.runtime.database.patience import patience
from ogel.runtime.database.schemas import OWN
from ogel.runtime.secrets.vault import Vault

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)

MOST_SECONDS = 24 * 3600
_LOG_OF_MIGRATIONS = TableName(OWN, "schema_migrations")

# Applies those of these migrations that are missing and returns their names.
Migrate = Callable[[Collection[int]], Awaitable[Sequence[str]]]


class Restored(Struct, frozen=True):
    """The progress of a restore: how much of `manifest` is in the database."""

    manifest: Manifest
    table: str
    rows: int
    bytes: int


class Report(Struct, frozen=True):
    """The result of a restore. `not_ours` names tables that no migration makes; their rows were not restored."""

    backup: str
    taken_at: datetime
    schema: str
    tables: int
    rows: int
    bytes: int
    seconds: float
    migrated: list[str]
    not_ours: list[str]


class SchemaMigrations(Struct, frozen=True):
    """The migrations of this version, in order, and the function that applies them to the target."""

    known: Sequence[SchemaStep]
    migrate: Migrate


class Restore:
    """
    database  the target; its pool must allow for two connections.
    restored  statements that make sense of what was under way; see Feature.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        schema: SchemaMigrations,
        restored: Sequence[bytes],
        left_out: Collection[str],
        store: BackupStore,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._vault = vault
        self._schema = schema
        self._restored = restored
        self._left_out = frozenset(left_out)
        self._store = store
        self._audit = audit

    async def run(self, caller: Caller, place: BackupLocation, tell: Callable[[Restored], None]) -> Report:
        """Raises Unusable before anything is changed; for a damaged chunk, everything is rolled back."""
        began = time.monotonic()
        manifest = await self.check(place)
        await self._check_target(manifest)
        then = {step.version for step in manifest.migrations}
        now = {step.version for step in self._schema.known}
        await self._schema.migrate(then)
        with patience(MOST_SECONDS):
            async with self._database.transaction() as tx:
                not_ours = await self._fill(tx, place, manifest, tell)
                if then == now:
                    await self._settle(tx, caller, manifest)
        migrated = await self._schema.migrate(now)
        if then != now:  # the following statements are written for the newest schema
            async with self._database.transaction() as tx:
                await self._settle(tx, caller, manifest)
        seconds = round(time.monotonic() - began, 1)
        log.info("backup.restored", backup=manifest.id, rows=manifest.rows, seconds=seconds)
        return Report(
            backup=manifest.id,
            taken_at=manifest.taken_at,
            schema=self._schema.known[-1].name,
            tables=len(manifest.tables) - len(not_ours),
            rows=sum(table.rows for table in manifest.tables if str(_name(table)) not in not_ours),
            bytes=manifest.bytes,
            seconds=seconds,
            migrated=list(migrated),
            not_ours=not_ours,
        )

    async def check(self, place: BackupLocation) -> Manifest:
        """Checks everything that can be known before a chunk is read: each exists and has the expected length."""
        manifest = await read_manifest(place, self._vault)
        check_schema(manifest, self._schema.known)
        if not manifest.migrations:
            raise Unusable("The backup names no schema.")
        await check_chunks(place, manifest)
        return manifest

    async def _check_target(self, manifest: Manifest) -> None:
        async with self._database.autocommit() as tx:
            names = await catalog.table_names(tx)
            await self._refuse_rows(tx, names)
            if _LOG_OF_MIGRATIONS not in names:
                return
            applied = await catalog.migrations(tx)
        of_backup = {step.version for step in manifest.migrations}
        if newer := [step for step in applied if step.version not in of_backup]:
            raise Unusable(
                f"The target's schema ({newer[-1].name}) is newer than the backup's"
                f" ({manifest.migrations[-1].name}): give it a database without tables."
            )

    async def _fill(
        self, tx: Transaction, place: BackupLocation, manifest: Manifest, tell: Callable[[Restored], None]
    ) -> list[str]:
        await tx.execute(_SQL.allow_long, {"statement": f"{MOST_SECONDS}s", "idle": f"{MOST_SECONDS}s"})
        names = await catalog.table_names(tx)
        # A service started too early waits for these locks, and then finds its rows or fails.
        await catalog.lock(tx, names, "EXCLUSIVE")
        await self._refuse_rows(tx, names)
        ours = {_name(table): table for table in manifest.tables if _name(table) in names}
        await catalog.without_triggers(tx, ours, off=True)
        progress = _RestoreProgress(manifest, tell)
        for table in ours.values():
            await self._table(tx, place, manifest, table, progress)
        await catalog.without_triggers(tx, ours, off=False)
        await catalog.go_on_counting(tx)
        return sorted(str(name) for name in {_name(table) for table in manifest.tables} - names)

    async def _settle(self, tx: Transaction, caller: Caller, manifest: Manifest) -> None:
        for statement in self._restored:
            await tx.execute(statement)
        await self._store.settle(tx, manifest)
        metadata = {"rows": manifest.rows, "taken_at": manifest.taken_at.isoformat()}
        await self._audit.record(tx, caller, "backup.restore", "backup", manifest.id, metadata)

    async def _table(
        self,
        tx: Transaction,
        place: BackupLocation,
        manifest: Manifest,
        table: TableDump,
        progress: _RestoreProgress,
    ) -> None:
        async def rows() -> AsyncIterator[bytes]:
            for chunk in table.chunks:
                yield await unpack(self._vault, manifest.id, place, chunk)
                progress.add(table, chunk)

        name = _name(table)
        try:
            if table.chunks:
                await tx.copy_in(catalog.copy_in(name, table.columns), rows())
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise Unusable(f"{name} does not take its rows: {str(error).splitlines()[0]}.") from error
        found = await catalog.count(tx, name)
        if found != table.rows:
            raise Unusable(f"{name} has {found} rows, and the backup says {table.rows}.")
        await catalog.analyze(tx, name)

    async def _refuse_rows(self, tx: Transaction, names: set[TableName]) -> None:
        """
        Raises Unusable when a table has rows; tables that backups leave out may have some, such as those of a
        migration.
        """
        table = await catalog.filled(tx, {each for each in names if str(each) not in self._left_out})
        if table is not None:
            raise Unusable(
                f"The target is not empty ({table} has rows), and a restore overwrites nothing: give it an empty"
                " database, with no Ogel running on it."
            )


def _name(table: TableDump) -> TableName:
    return TableName(table.schema, table.name)


class _RestoreProgress:
    def __init__(self, manifest: Manifest, tell: Callable[[Restored], None]) -> None:
        self._manifest = manifest
        self._tell = tell
        self._rows = 0
        self._bytes = 0

    def add(self, table: TableDump, chunk: Chunk) -> None:
        self._rows += chunk.rows
        self._bytes += chunk.bytes
        self._tell(Restored(self._manifest, str(_name(table)), self._rows, self._bytes))
