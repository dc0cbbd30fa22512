"""The job that reads a whole backup and checks it, as a restore would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from ogel.features.backups.chunks import check_chunks, unpack
from ogel.features.backups.manifest import Unusable, place_of, read_manifest
from ogel.features.backups.store import BackupStore
from ogel.kernel.errors import Unavailable
from ogel.runtime.database.database import Database, DatabaseAway, Transaction
from ogel.runtime.jobs.job import Finished, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.progress import report
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.objects import ObjectStore
from ogel.runtime.secrets.vault import Vault

log = structlog.get_logger(__name__)

VERIFY = "backups.verify"
MOST_SECONDS = 6 * 3600


def verify_job(backup_id: str) -> NewJob:
    return NewJob(VERIFY, {"backup": backup_id}, dedupe_key=f"{VERIFY}:{backup_id}")


class VerifyBackup:
    """The job kind `backups.verify`; its payload is `{"backup": "bak_…"}`."""

    def __init__(self, database: Database, objects: ObjectStore, vault: Vault, store: BackupStore) -> None:
        self._database = database
        self._objects = objects
        self._vault = vault
        self._store = store

    def kind(self, queue: str) -> JobKind:
        return JobKind(
            VERIFY,
            queue=queue,
            perform=self.perform,
            record=self.record,
            discarded=self.discarded,
            timeout_seconds=MOST_SECONDS,
            backoff=RetryPolicy.doubling(first_seconds=10.0, cap_seconds=900.0),
        )

    async def perform(self, job: Job, _: Any) -> Outcome | None:
        id = job.payload["backup"]
        place = place_of(self._objects, id)
        try:
            manifest = await read_manifest(place, self._vault)
            await check_chunks(place, manifest)
            checked = 0
            for table in manifest.tables:
                for chunk in table.chunks:
                    await unpack(self._vault, manifest.id, place, chunk)
                    checked += chunk.bytes
                    report(checked, manifest.bytes, table.name)
        except Unusable as error:
            log.error("backup.unusable", backup=id, error=error.message)
            return Outcome("done", value=error.message)
        except DatabaseAway:
            raise
        except Unavailable as error:
            return Outcome("retry", error.message)
        log.info("backup.verified", backup=id, rows=manifest.rows)
        return None

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        for each in finished:
            id, outcome = each.job.payload["backup"], each.outcome
            if outcome.verdict == "done":
                await self._say(tx, id, outcome.value)
            elif outcome.verdict == "dead":
                await self._say(tx, id, outcome.error or "its job is dead")

    async def discarded(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        for payload in payloads:
            await self._say(tx, payload["backup"], "its job was discarded")

    async def _say(self, tx: Transaction, id: str, error: str | None) -> None:
        await self._store.verified(tx, id, "failed" if error else "passed", error)
