"""The backups table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from ogel.features.backups.backup import Backup, BackupStatus, Verification
from ogel.features.backups.manifest import Manifest
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class Copied(Struct):
    """The progress of a dump; see Backup."""

    expected_bytes: int
    tables: int = 0
    rows: int = 0
    bytes: int = 0
    size: int = 0


class BackupStore:
    async def insert(self, tx: Transaction, id: str, note: str | None, scheduled: bool) -> bool:
        """Returns False while another backup runs."""
        parameters = {"id": id, "note": note, "scheduled": scheduled}
        return await tx.value(_SQL.insert_backup, parameters) is not None

    async def running(self, tx: Transaction) -> str | None:
        found: str | None = await tx.value(_SQL.running)
        return found

    async def get(self, tx: Transaction, id: str) -> Backup | None:
        return await tx.one(_SQL.get_backup, {"id": id}, Backup)

    async def list(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[Backup]:
        return await tx.all(_SQL.list_backups, filters, Backup)

    async def run_of(self, tx: Transaction, id: str) -> str | None:
        """Returns the current run, empty when none has begun; None when the backup is not running."""
        run: str | None = await tx.value(_SQL.run_of, {"id": id})
        return run

    async def left_behind(self, tx: Transaction, id: str) -> tuple[BackupStatus, str] | None:
        """Returns the status and the last run; None when the backup is deleted."""
        rows = await tx.tuples(_SQL.left_behind, {"id": id})
        return (rows[0][0], rows[0][1]) if rows else None

    async def begin_run(self, tx: Transaction, id: str, former: str, run: str) -> bool:
        """
        Replaces the run `former` by `run`; False when another run came first or the backup is not running any more.
        """
        return await tx.execute(_SQL.begin_run, {"id": id, "former": former, "run": run}) > 0

    async def advance(self, tx: Transaction, id: str, run: str, copied: Copied) -> bool:
        """Returns False when another run has replaced this one."""
        return await tx.execute(_SQL.advance, {"id": id, "run": run, **asdict(copied)}) > 0

    async def hold_run(self, tx: Transaction, id: str, run: str) -> bool:
        """Keeps other runs from replacing this one until the transaction ends; False when one already has."""
        return await tx.value(_SQL.hold_run, {"id": id, "run": run}) is not None

    async def complete(self, tx: Transaction, manifest: Manifest) -> bool:
        parameters = {"id": manifest.id, "run": manifest.run, **_totals(manifest)}
        return await tx.value(_SQL.complete, parameters) is not None

    async def settle(self, tx: Transaction, manifest: Manifest) -> None:
        await tx.execute(_SQL.settle, {"id": manifest.id, **_totals(manifest)})

    async def note_error(self, tx: Transaction, id: str, error: str) -> None:
        await tx.execute(_SQL.note_error, {"id": id, "error": error})

    async def fail(self, tx: Transaction, id: str, error: str) -> bool:
        return await tx.value(_SQL.fail, {"id": id, "error": error}) is not None

    async def go_on(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.go_on, {"id": id})

    async def delete(self, tx: Transaction, id: str) -> bool:
        return await tx.value(_SQL.delete_backup, {"id": id}) is not None

    async def begin_verifying(self, tx: Transaction, id: str) -> bool:
        """Returns False when the backup is not complete."""
        return await tx.value(_SQL.begin_verifying, {"id": id}) is not None

    async def verified(self, tx: Transaction, id: str, verification: Verification, error: str | None) -> None:
        await tx.execute(_SQL.verified, {"id": id, "verification": verification, "error": error})

    async def prune(self, tx: Transaction, keep: int, failed_before: datetime) -> Sequence[str]:
        """Returns the ids of the deleted backups; the query says which these are."""
        rows = await tx.tuples(_SQL.prune, {"keep": keep, "failed_before": failed_before})
        return [id for (id,) in rows]


def _totals(manifest: Manifest) -> dict[str, int]:
    return {
        "tables": len(manifest.tables),
        "rows": manifest.rows,
        "bytes": manifest.bytes,
        "size": manifest.size,
    }
