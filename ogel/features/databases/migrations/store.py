"""The platform_database_migrations table, and the files of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.databases.migrations.migration import Run, RunError, RunStatus
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.database.registered import Applied
from ogel.runtime.database.sqlfile import SqlFile

_SQL = Queries.beside(__name__)


class MigrationStore:
    async def insert(self, tx: Transaction, id: str, database_id: str, files: Sequence[SqlFile]) -> bool:
        """Returns False while another run of the database is unfinished."""
        run = {"id": id, "database_id": database_id, "total": len(files)}
        if await tx.value(_SQL.insert_run, run) is None:
            return False
        rows = [
            {"place": place, "name": file.name, "checksum": file.checksum, "sql": file.sql.decode()}
            for place, file in enumerate(files)
        ]
        await tx.execute(_SQL.insert_files, {"run": id, "rows": records(rows)})
        return True

    async def unfinished(self, tx: Transaction, database_id: str) -> str | None:
        found: str | None = await tx.value(_SQL.unfinished, {"database_id": database_id})
        return found

    async def get(self, tx: Transaction, database_id: str, id: str) -> Run | None:
        rows = await tx.dicts(_SQL.get_run, {"database_id": database_id, "id": id})
        return msgspec.convert(rows[0], Run) if rows else None

    async def list(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[Run]:
        return msgspec.convert(await tx.dicts(_SQL.list_runs, filters), list[Run])

    async def running(self, tx: Transaction, ids: Sequence[str]) -> set[str]:
        return {id for (id,) in await tx.tuples(_SQL.running, {"ids": list(ids)})}

    async def files(self, tx: Transaction, run: str) -> Sequence[Applied]:
        """Returns names and checksums in the order in which the files are applied."""
        return [Applied(*row) for row in await tx.tuples(_SQL.files, {"run": run})]

    async def sql_of(self, tx: Transaction, run: str, name: str) -> str:
        sql: str = await tx.value(_SQL.sql_of, {"run": run, "name": name})
        return sql

    async def progress(self, tx: Transaction, id: str, done: int, current: str | None) -> bool:
        """Returns False when the run is not to continue."""
        return bool(await tx.value(_SQL.progress, {"id": id, "done": done, "current": current}))

    async def wait(self, tx: Transaction, id: str, why: str | None) -> None:
        await tx.execute(_SQL.wait, {"id": id, "why": why})

    async def end(
        self, tx: Transaction, id: str, status: RunStatus, error: RunError | None = None
    ) -> tuple[str, int] | None:
        """Returns the database and how many files were applied; None when the run was over already."""
        parameters = {
            "id": id,
            "status": status,
            "error": None if error is None else msgspec.json.encode(error).decode(),
        }
        rows = await tx.tuples(_SQL.end_run, parameters)
        return rows[0] if rows else None

    async def forget_sql(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.forget_sql, {"id": id})

    async def ask_to_cancel(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.ask_to_cancel, {"id": id})

    async def go_on(self, tx: Transaction, id: str) -> None:
        await tx.execute(_SQL.go_on, {"id": id})
