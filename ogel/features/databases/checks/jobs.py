"""The jobs that check databases: one checks a single database, and a scheduled one enqueues checks of all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter

from ogel.features.databases.checks.job import CHECK, check_job, check_key
from ogel.features.databases.checks.store import CheckFinding, DatabaseHealthStore, NotedCheck
from ogel.features.databases.queue import QUEUE
from ogel.features.databases.registry.store import RegistryStore, SealedTarget
from ogel.features.databases.registry.targets import Targets
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.database.registered import ExternalDatabases, TargetError
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox

log = structlog.get_logger(__name__)

CHECK_ALL = "databases.check_all"
UNREACHABLE, RECOVERED = "database.unreachable", "database.recovered"

UNKNOWN_FAULT = "it could not be looked at; its dead job and the log say why"
# The most checks at once in one process, however many are due.
AT_ONCE = 16
# The tries before a database that answered last time counts as unreachable, so that a short glitch is no outage.
TRIES = 3
PAUSE_SECONDS = 1.0
# A database that stays unreachable is checked less and less often.
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 15.0, 600.0


class Loaded(Struct, frozen=True):
    target: SealedTarget
    was_unreachable: bool


class CheckDatabase:
    """The job kind `databases.check`; its payload is `{"database": "dbs_…"}`."""

    def __init__(
        self,
        registry: RegistryStore,
        targets: Targets,
        health: DatabaseHealthStore,
        external: ExternalDatabases,
        keys: JobKeys,
        outbox: Outbox,
        metrics: CollectorRegistry,
    ) -> None:
        self._registry = registry
        self._targets = targets
        self._health = health
        self._external = external
        self._keys = keys
        self._outbox = outbox
        self._places = asyncio.Semaphore(AT_ONCE)
        self._checks = Counter(
            "ogel_database_checks_total",
            "Looks at registered databases: reached or failed.",
            ["type", "outcome"],
            registry=metrics,
        )

    def kind(self) -> JobKind:
        return JobKind(
            CHECK,
            queue=QUEUE,
            perform=self.perform,
            load=self.load,
            record=self.record,
            backoff=RetryPolicy.doubling(1.0, 60.0),
            timeout_seconds=None,  # a check has its own deadline, in which waiting for a free slot should not count
        )

    async def load(self, tx: Transaction, jobs: Sequence[Job]) -> Mapping[str, Loaded]:
        ids = [job.payload["database"] for job in jobs]
        targets = {target.id: target for target in await self._registry.targets(tx, ids)}
        unreachable = await self._health.unreachable(tx, ids)
        return {
            job.id: Loaded(targets[id], id in unreachable)
            for job, id in zip(jobs, ids, strict=True)
            if id in targets
        }

    async def perform(self, job: Job, loaded: Loaded) -> Outcome:
        sealed = loaded.target
        try:
            target = self._targets.opened(sealed)
            async with self._places:
                seen = await self._external.look(target)
        except TargetError as error:
            self._checks.labels(sealed.type, "failed").inc()
            if not (error.final or loaded.was_unreachable or job.attempts >= TRIES):
                return Outcome("retry", error.message, after_seconds=PAUSE_SECONDS)
            return Outcome("done", value=CheckFinding(sealed.id, sealed.version, error.message))
        self._checks.labels(sealed.type, "reached").inc()
        return Outcome(
            "done",
            value=CheckFinding(sealed.id, sealed.version, None, **msgspec.structs.asdict(seen)),
        )

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        """In the order of the databases, so that two workers wait for each other instead of deadlocking."""
        findings = [each.outcome.value for each in finished if isinstance(each.outcome.value, CheckFinding)]
        dead = [each.job.payload["database"] for each in finished if each.outcome.verdict == "dead"]
        for target in await self._registry.targets(tx, dead) if dead else ():
            findings.append(CheckFinding(target.id, target.version, UNKNOWN_FAULT))
        for finding in sorted(findings, key=lambda each: each.database_id):
            noted = await self._health.note(tx, finding)
            if noted is not None:
                await self._judge(tx, finding, noted)

    async def _judge(self, tx: Transaction, finding: CheckFinding, noted: NotedCheck) -> None:
        id = finding.database_id
        if finding.error is not None:
            rest = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2.0 ** min(noted.failures - 1, 10))
            await self._keys.slow(tx, check_key(id), rest)
            if noted.was != "unreachable":
                log.warning("database.unreachable", database=id, name=noted.name, error=finding.error)
                # Without the reason: the driver's message contains addresses, and events go to all subscribers.
                await self._tell(tx, UNREACHABLE, id, {"name": noted.name})
        elif noted.was == "unreachable":
            log.info("database.recovered", database=id, name=noted.name)
            await self._tell(tx, RECOVERED, id, {"name": noted.name, "unreachable_since": noted.was_since})

    async def _tell(self, tx: Transaction, type: str, id: str, facts: Mapping[str, Any]) -> None:
        data = msgspec.json.encode({"database": id, **facts})
        await self._outbox.publish(tx, [Event(new_id("evt"), type, data, id, utc_now())])


class CheckAll:
    """The job kind `databases.check_all`: enqueues a check of each database that has none waiting."""

    def __init__(self, database: Database, health: DatabaseHealthStore, jobs: JobQueue) -> None:
        self._database = database
        self._health = health
        self._jobs = jobs

    def kind(self) -> JobKind:
        return JobKind(CHECK_ALL, queue=QUEUE, perform=self.perform)

    async def perform(self, job: Job, _: Any) -> None:
        async with self._database.transaction() as tx:
            versions = await self._health.versions(tx)
            await self._jobs.enqueue(tx, [check_job(id, version) for id, version in versions])
