"""Scans objects, and keeps from everybody what is not known to be clean."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from ogel.features.storage.blobs.service import BlobService
from ogel.features.storage.events import OBJECT_CLEAN, infected_event, object_event
from ogel.features.storage.objects.object import ScanState, StoredObject
from ogel.features.storage.scanning.store import ScanStore
from ogel.kernel.errors import Unavailable
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.jobs.job import DONE, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.scanning import Finding, NotScanned, Scanner

log = structlog.get_logger(__name__)

KIND = "storage.scan"
# Scans at once in a process: clamd has ten threads for all.
_AT_ONCE = 4
_SCAN_SECONDS = 3600.0
_AWAY_SECONDS = 20.0
_MOST_BEGUN = 1_000


class Scans:
    """`scanner` is None where there is none: then nothing waits for one."""

    def __init__(
        self,
        database: Database,
        store: ScanStore,
        blobs: BlobService,
        outbox: Outbox,
        jobs: JobQueue,
        scanner: Scanner | None,
    ) -> None:
        self._database = database
        self._store = store
        self._blobs = blobs
        self._outbox = outbox
        self._jobs = jobs
        self._scanner = scanner
        self._places = asyncio.Semaphore(_AT_ONCE)

    @property
    def are_possible(self) -> bool:
        return self._scanner is not None

    def kind(self) -> JobKind:
        return JobKind(KIND, queue="cleanup", perform=self.perform, timeout_seconds=_SCAN_SECONDS)

    async def begin(self, tx: Transaction, stored: StoredObject) -> None:
        """To be called in the transaction that writes an object."""
        if stored.scan_state == "pending":
            await self._jobs.enqueue(tx, [_job(stored.version)])

    async def begin_all(self, *, again: bool) -> None:
        """Also of what came by other ways: moved there, or marked by SQL. `again`: what the scanner refused, too."""
        states: list[ScanState] = ["pending", "failed"] if again else ["pending"]
        if not self.are_possible:
            return
        async with self._database.transaction() as tx:
            versions = await self._store.waiting(tx, states, _MOST_BEGUN)
            await self._jobs.enqueue(tx, [_job(version) for version in versions])

    async def let_go(self, tx: Transaction, bucket: str) -> None:
        """When a bucket wants no scans any more; what was found infected stays where it is."""
        await self._store.let_go(tx, bucket)

    async def perform(self, job: Job, loaded: Any) -> Outcome:
        if self._scanner is None:
            return Outcome("dead", "there is no scanner: OGEL_CLAMAV is not set")
        version = str(job.payload["version"])
        async with self._places:
            async with self._database.autocommit() as tx:
                if (found := await self._store.get(tx, version)) is None:
                    return DONE
                blobs = await self._blobs.of_version(tx, version)
            try:
                finding = await self._scanner.scan(self._blobs.read(blobs, 0, found.size))
            except Unavailable as error:
                return Outcome("postpone", error.message, after_seconds=_AWAY_SECONDS)
            except NotScanned as error:
                return await self._refused(version, str(error))
        await self._found(version, finding)
        return DONE

    async def _refused(self, version: str, why: str) -> Outcome:
        log.warning("storage.not_scanned", version=version, error=why[:200])
        async with self._database.autocommit() as tx:
            await self._store.set(tx, version, "failed")
        return DONE

    async def _found(self, version: str, finding: Finding) -> None:
        async with self._database.transaction() as tx:
            state: ScanState = "clean" if finding.malware is None else "infected"
            if (object := await self._store.set(tx, version, state)) is None:
                return
            if finding.malware is None:
                event = object_event(OBJECT_CLEAN, object)
            else:
                log.warning(
                    "storage.infected", bucket=object.bucket_id, name=object.name, malware=finding.malware
                )
                event = infected_event(object, finding.malware)
            await self._outbox.publish(tx, [event])


def _job(version: str) -> NewJob:
    return NewJob(KIND, {"version": version}, dedupe_key=f"{KIND}:{version}")
