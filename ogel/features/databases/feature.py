"""The manifest of registered databases, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.databases.ask import Asking
from ogel.features.databases.checks.jobs import CHECK_ALL, RECOVERED, UNREACHABLE, CheckAll, CheckDatabase
from ogel.features.databases.checks.metrics import DatabaseMetrics
from ogel.features.databases.checks.service import CheckService
from ogel.features.databases.checks.store import DatabaseHealthStore
from ogel.features.databases.contract import RegisteredServers
from ogel.features.databases.migrations.jobs import MIGRATED, MIGRATION_FAILED, MigrateDatabase
from ogel.features.databases.migrations.purge import purge_of_runs
from ogel.features.databases.migrations.service import MigrationService
from ogel.features.databases.migrations.store import MigrationStore
from ogel.features.databases.registry.database import password_purpose
from ogel.features.databases.registry.servers import Servers
from ogel.features.databases.registry.service import RegistryService
from ogel.features.databases.registry.store import RegistryStore
from ogel.features.databases.registry.targets import Targets
from ogel.runtime.core import Core
from ogel.runtime.database.registered import ExternalDatabases
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.secrets.sealed import SealedColumn

SEALED = [
    SealedColumn("platform_databases", "id", "sealed_password", owner="id", purpose=password_purpose),
]


class DatabaseFeature:
    """Builds the services when they are first used."""

    def __init__(self, core: Core, external: ExternalDatabases) -> None:
        database, registry, health, runs = (
            core.database,
            RegistryStore(),
            DatabaseHealthStore(),
            MigrationStore(),
        )
        targets = Targets(database, registry, core.vault)
        self._asking = Asking(targets)
        self._external = external
        self.registry = RegistryService(
            database, registry, targets, external, core.jobs, core.keys, core.audit
        )
        self.checks = CheckService(database, registry, health, core.jobs, core.keys, core.audit)
        self.migrations = MigrationService(
            database, registry, runs, self._asking, external, core.jobs, core.audit
        )
        self.servers: RegisteredServers = Servers(database, registry, targets)
        self.metrics = DatabaseMetrics(database, health, core.registry)
        self.kinds = [
            CheckDatabase(registry, targets, health, external, core.keys, core.outbox, core.registry).kind(),
            CheckAll(database, health, core.jobs).kind(),
            MigrateDatabase(database, registry, targets, runs, external, core.outbox).kind(),
        ]

    def routes(self) -> Sequence[Route]:
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


def build(core: Core, _: None) -> Feature:
    """Finished runs of migrations are kept for OGEL_RETENTION_DAYS."""
    from ogel.adapters.databases.drivers import Drivers

    databases = DatabaseFeature(core, Drivers())
    return Feature(
        name="databases",
        routes=databases.routes,
        scopes={
            "databases:read": "look at databases elsewhere",
            "databases:write": "register and migrate them",
        },
        jobs=databases.kinds,
        schedules=SCHEDULES,
        events={
            UNREACHABLE: "a registered database stopped answering",
            RECOVERED: "a registered database answers again",
            MIGRATED: "a run applied all files that a registered database lacked",
            MIGRATION_FAILED: "a run stopped at a file that could not be applied",
        },
        purges=[purge_of_runs(core.retention_days)],
        tables=[
            "platform_database_health",
            "platform_database_migration_files",
            "platform_database_migrations",
            "platform_databases",
        ],
        sealed=SEALED,
        gauges=[databases.metrics.measure],
        offers=databases,
    )


SCHEDULES = [
    Schedule(
        name=CHECK_ALL,
        cron="*/5 * * * *",
        kind=CHECK_ALL,
        description="Looks at every registered database.",
    )
]
