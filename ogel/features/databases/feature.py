"""The manifest of registered databases, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from ogel.features.databases.ask import Asking
from ogel.features.databases.checks.jobs import CHECK_ALL, RECOVERED, UNREACHABLE, CheckAll, CheckDatabase
from ogel.features.databases.checks.service import CheckService
from ogel.features.databases.checks.store import HealthStore
from ogel.features.databases.migrations.jobs import MIGRATED, MIGRATION_FAILED, MigrateDatabase
from ogel.features.databases.migrations.purge import purge_of_runs
from ogel.features.databases.migrations.service import MigrationService
from ogel.features.databases.migrations.store import MigrationStore
from ogel.features.databases.registry.database import password_purpose
from ogel.features.databases.registry.service import RegistryService
from ogel.features.databases.registry.store import RegistryStore
from ogel.features.databases.registry.targets import Targets
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.database.registered import ExternalDatabases
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.secrets.sealed import SealedColumn
from ogel.runtime.secrets.vault import Vault

SEALED = [
    SealedColumn("platform_databases", "id", "sealed_password", owner="id", purpose=password_purpose),
]


class DatabaseFeature:
    """
    Builds the services; touches nothing before one of them is called. Runs of migrations that are over are remembered
    for `retention_days`.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        keys: JobKeys,
        outbox: Outbox,
        audit: AuditTrail,
        vault: Vault,
        external: ExternalDatabases,
        retention_days: float,
        metrics: CollectorRegistry,
    ) -> None:
        registry, health, runs = RegistryStore(), HealthStore(), MigrationStore()
        targets = Targets(database, registry, vault)
        asking = Asking(targets)
        self._retention_days = retention_days
        self.registry = RegistryService(database, registry, targets, external, jobs, keys, audit)
        self.checks = CheckService(database, registry, health, jobs, keys, audit)
        self.migrations = MigrationService(database, registry, runs, asking, external, jobs, audit)
        self._asking = asking
        self._external = external
        self._check = CheckDatabase(registry, targets, health, external, keys, outbox, metrics)
        self._check_all = CheckAll(database, health, jobs)
        self._migrate = MigrateDatabase(database, registry, targets, runs, external, outbox)

    def feature(self) -> Feature:
        return Feature(
            name="databases",
            routes=self._routes,
            jobs=[self._check.kind(), self._check_all.kind(), self._migrate.kind()],
            schedules=SCHEDULES,
            sealed=SEALED,
            events={
                UNREACHABLE: "a registered database stopped answering",
                RECOVERED: "a registered database answers again",
                MIGRATED: "a run applied all files that a registered database lacked",
                MIGRATION_FAILED: "a run stopped at a file that could not be applied",
            },
            purges=[purge_of_runs(self._retention_days)],
        )

    def _routes(self) -> Sequence[Route]:
        from ogel.features.databases.catalog.routes import CatalogRoutes
        from ogel.features.databases.checks.routes import CheckRoutes
        from ogel.features.databases.migrations.routes import MigrationRoutes
        from ogel.features.databases.registry.routes import RegistryRoutes

        return [
            *RegistryRoutes(self.registry).routes(),
            *CheckRoutes(self.checks).routes(),
            *CatalogRoutes(self._asking, self._external).routes(),
            *MigrationRoutes(self.migrations).routes(),
        ]


SCHEDULES = [
    Schedule(
        name=CHECK_ALL,
        cron="*/5 * * * *",
        kind=CHECK_ALL,
        description="Looks at every registered database.",
    )
]
