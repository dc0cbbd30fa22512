"""The job of a run of migrations, which continues from the file it has reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from ogel.features.databases.migrations.job import MIGRATE
from ogel.features.databases.migrations.migration import RunError, RunStatus
from ogel.features.databases.migrations.plan import edited
from ogel.features.databases.migrations.store import MigrationStore
from ogel.features.databases.queue import QUEUE
from ogel.features.databases.registry.store import RegistryStore, SealedTarget
from ogel.features.databases.registry.targets import Targets
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.database.registered import Applied, ExternalDatabases, SqlError, TargetError
from ogel.runtime.database.sqlfile import SqlFile
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.outbox import Outbox

log = structlog.get_logger(__name__)

MIGRATED, MIGRATION_FAILED = "database.migrated", "database.migration_failed"

# A run whose database stays away, or locked by somebody else, is tried so often: about four minutes.
TRIES = 10
LONGEST_RUN_SECONDS = 6 * 3600.0


class RunEnd(Struct, frozen=True):
    """How a run ended, independent of the outcome of its job."""

    status: RunStatus
    error: RunError | None = None


class _Stop(Exception):
    """Raised between files."""

    def __init__(self, ended: RunEnd) -> None:
        super().__init__(ended.status)
        self.ended = ended


class MigrateDatabase:
    """The job kind `databases.migrate`; its payload is `{"run": "dbm_…", "database": "dbs_…"}`."""

    def __init__(
        self,
        database: Database,
        registry: RegistryStore,
        targets: Targets,
        store: MigrationStore,
        external: ExternalDatabases,
        outbox: Outbox,
    ) -> None:
        self._database = database
        self._registry = registry
        self._targets = targets
        self._store = store
        self._external = external
        self._outbox = outbox

    def kind(self) -> JobKind:
        return JobKind(
            MIGRATE,
            queue=QUEUE,
            perform=self.perform,
            load=self.load,
            record=self.record,
            discarded=self.discarded,
            revived=self.revived,
            max_attempts=TRIES,
            timeout_seconds=LONGEST_RUN_SECONDS,
            backoff=RetryPolicy.doubling(2.0, 60.0),
        )

    async def load(self, tx: Transaction, jobs: Sequence[Job]) -> Mapping[str, SealedTarget]:
        running = await self._store.running(tx, [job.payload["run"] for job in jobs])
        ids = [job.payload["database"] for job in jobs]
        targets = {target.id: target for target in await self._registry.targets(tx, ids)}
        return {job.id: targets[job.payload["database"]] for job in jobs if job.payload["run"] in running}

    async def perform(self, job: Job, sealed: SealedTarget) -> Outcome:
        """
        Each file is logged in the migrated database itself, in the file's own transaction. Performed again, a run
        continues after the last file committed there.
        """
        walk = _Walk(self._database, self._store, job.payload["run"])
        try:
            await self._external.migrate(self._targets.opened(sealed), walk.next_file)
        except _Stop as stop:
            return Outcome("done", value=stop.ended)
        except SqlError as error:
            place = RunError(error.message, walk.current, error.line, error.position, error.sqlstate)
            return Outcome("done", value=RunEnd("failed", place))
        except TargetError as error:
            if error.final:
                return Outcome("done", value=RunEnd("failed", RunError(error.message, walk.current)))
            return Outcome("retry", error.message)
        return Outcome("done", value=RunEnd("succeeded"))

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        for each in finished:
            run, outcome = each.job.payload["run"], each.outcome
            if isinstance(outcome.value, RunEnd):
                await self._end(tx, run, outcome.value)
            elif outcome.verdict == "dead":
                # The SQL is kept, because reviving the job starts the run again.
                error = RunError(f"gave up after {each.job.attempts} attempts: {outcome.error}")
                await self._end(tx, run, RunEnd("failed", error), keeps_sql=True)
            elif outcome.verdict != "done":
                await self._store.wait(tx, run, outcome.error)

    async def discarded(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        for payload in payloads:
            await self._end(tx, payload["run"], RunEnd("cancelled"))

    async def revived(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        for payload in payloads:
            await self._store.go_on(tx, payload["run"])

    async def _end(self, tx: Transaction, run: str, ended: RunEnd, keeps_sql: bool = False) -> None:
        found = await self._store.end(tx, run, ended.status, ended.error)
        if not keeps_sql:
            await self._store.forget_sql(tx, run)
        if found is None:
            return
        database_id, applied = found
        facts: dict[str, Any] = {"database": database_id, "run": run, "applied": applied}
        if ended.error is not None:
            facts |= {"file": ended.error.file, "sqlstate": ended.error.sqlstate}
        log.info("database.migration_ended", status=ended.status, **facts)
        type = {"succeeded": MIGRATED, "failed": MIGRATION_FAILED}.get(ended.status)
        if type is not None:
            data = msgspec.json.encode(facts)
            await self._outbox.publish(tx, [Event(new_id("evt"), type, data, database_id, utc_now())])


class _Walk:
    """Iterates over the files of a run; holds no connection to Ogel's database while a file is applied."""

    def __init__(self, database: Database, store: MigrationStore, run: str) -> None:
        self._database = database
        self._store = store
        self._run = run
        self._checksums: Mapping[str, str] | None = None
        self.current: str | None = None

    async def next_file(self, applied: Sequence[Applied]) -> SqlFile | None:
        """Raises _Stop when the run is to end here."""
        async with self._database.autocommit() as tx:
            if self._checksums is None:
                files = await self._store.files(tx, self._run)
                self._checksums = {file.name: file.checksum for file in files}
            if (changed := edited(self._checksums, applied)) is not None:
                name, message = changed
                raise _Stop(RunEnd("failed", RunError(message, name)))
            names = {each.name for each in applied}
            missing = [name for name in self._checksums if name not in names]
            self.current = missing[0] if missing else None
            done = len(self._checksums) - len(missing)
            goes_on = await self._store.progress(tx, self._run, done, self.current)
            if self.current is None:
                return None
            if not goes_on:
                raise _Stop(RunEnd("cancelled"))
            sql = await self._store.sql_of(tx, self._run, self.current)
        return SqlFile(self.current, sql.encode())
