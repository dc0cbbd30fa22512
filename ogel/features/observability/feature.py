"""The manifest of observability, and how its parts fit together. What every process needs is in metrics/."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.observability.alerts.jobs import CHECK as CHECK_ALERTS
from ogel.features.observability.alerts.jobs import CheckAlerts
from ogel.features.observability.alerts.service import CLEARED, RAISED, AlertService
from ogel.features.observability.alerts.store import AlertStore
from ogel.features.observability.contract import Measurements
from ogel.features.observability.health.jobs import CHANGED, CheckHealth
from ogel.features.observability.health.jobs import CHECK as CHECK_HEALTH
from ogel.features.observability.health.purge import purge_of_health_checks
from ogel.features.observability.health.store import HealthCheckStore
from ogel.features.observability.measurements import StoredMeasurements
from ogel.features.observability.resources.jobs import SAMPLE, TakeSamples
from ogel.features.observability.resources.purge import purge_of_samples
from ogel.features.observability.resources.sampler import Sampler
from ogel.features.observability.resources.store import ResourceStore
from ogel.features.observability.settings import ObservabilitySettings
from ogel.features.observability.slo.alerts import RULES as BURN_RULES
from ogel.features.observability.slo.delivering import DeploymentWatch
from ogel.features.observability.slo.gauges import SloGauges
from ogel.features.observability.slo.jobs import FOLD, FoldTallies
from ogel.features.observability.slo.purges import purges_of_slo
from ogel.features.observability.slo.service import SloService
from ogel.features.observability.slo.store import SloStore
from ogel.features.observability.usage.jobs import ROLL_UP, RollUp
from ogel.features.observability.usage.purges import purges_of_usage
from ogel.features.observability.usage.service import UsageService
from ogel.features.observability.usage.store import UsageStore
from ogel.runtime.alerts import AlertRule
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.health import Checkup
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.kind import JobKind, Perform
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.schedule.schedule import Schedule

QUEUE = "stats"


class ObservabilityFeature:
    def __init__(self, core: Core, settings: ObservabilitySettings) -> None:
        database = core.database
        self._database = database
        self._resource_store, self._health_store = ResourceStore(), HealthCheckStore()
        usage, slo = UsageStore(), SloStore()
        deployments = DeploymentWatch(
            core.railway,
            core.railway_project,
            core.railway_environment,
            database,
            slo,
            settings,
        )
        self.slo = SloService(database, slo, settings, deployments, lambda: core.features["costs"].offers)
        self.slo_gauges = SloGauges(self.slo, core.registry)
        self.usage = UsageService(database, usage)
        self.measurements: Measurements = StoredMeasurements(database, self._resource_store, usage)
        sampler = Sampler(
            database,
            self._resource_store,
            core.depths.all,
            core.redis_stats,
            lambda: [take for feature in core.features.bringing("samples") for take in feature.samples],
            core.data_dir,
        )
        self.alerts = AlertService(
            database,
            AlertStore(),
            core.outbox,
            sampler,
            lambda: [rule for feature in core.features.bringing("alerts") for rule in feature.alerts],
        )
        checkup = Checkup([*core.probes, *core.costly_probes])
        self.kinds = [
            _often(ROLL_UP, RollUp(database, usage).perform),
            _often(FOLD, FoldTallies(database, slo).perform),
            _often(SAMPLE, TakeSamples(database, self._resource_store, sampler).perform),
            _often(CHECK_HEALTH, CheckHealth(database, self._health_store, core.outbox, checkup).perform),
            _often(CHECK_ALERTS, CheckAlerts(self.alerts).perform),
        ]

    def routes(self) -> Sequence[Route]:
        from ogel.features.observability.alerts.routes import AlertRoutes
        from ogel.features.observability.health.routes import HealthRoutes
        from ogel.features.observability.resources.routes import ResourceRoutes
        from ogel.features.observability.slo.routes import SloRoutes
        from ogel.features.observability.usage.routes import UsageRoutes

        return [
            *UsageRoutes(self.usage).routes(),
            *ResourceRoutes(self._database, self._resource_store).routes(),
            *HealthRoutes(self._database, self._health_store).routes(),
            *AlertRoutes(self.alerts).routes(),
            *SloRoutes(self.slo).routes(),
        ]


def build(core: Core, settings: ObservabilitySettings) -> Feature:
    observability = ObservabilityFeature(core, settings)
    return Feature(
        name="observability",
        routes=observability.routes,
        scopes={"stats:read": "read usage, resources, health, alerts and objectives"},
        jobs=observability.kinds,
        schedules=SCHEDULES,
        events={
            CHANGED: "something that Ogel leans on stopped answering, or answers again",
            RAISED: "a number was over its threshold in two checks in a row",
            CLEARED: "a number was not over its threshold any more, in two checks in a row",
        },
        purges=[
            *purges_of_usage(settings.hours_kept_days, settings.days_kept_days),
            *purges_of_slo(),
            purge_of_samples(settings.samples_kept_days),
            purge_of_health_checks(),
        ],
        tables=[
            "alerts",
            "health_checks",
            "processes",
            "resource_samples",
            "slo_commits",
            "slo_deltas",
            "slo_tallies",
            "slo_uptime",
            "usage",
            "usage_deltas",
        ],
        gauges=[observability.slo_gauges.measure],
        samples=[observability.slo.samples],
        alerts=[*_alerts(settings), *BURN_RULES],
        settings=settings,
        offers=observability,
    )


def _alerts(settings: ObservabilitySettings) -> Sequence[AlertRule]:
    """Rules about servers, processes and the disk, which belong to no feature."""
    memory_bytes = settings.alert_memory_mb * 1024 * 1024
    return [
        AlertRule(
            "disk.free",
            "critical",
            settings.alert_disk_free,
            "disk.free_share",
            "disk-full.md",
            below=True,
        ),
        # Not a setting, because the value is yes or no.
        AlertRule("database.writes", "critical", 1.0, "database.takes_writes", "disk-full.md", below=True),
        AlertRule(
            "database.connections",
            "critical",
            settings.alert_connections,
            "database.connections_share",
            "database-slow.md",
        ),
        AlertRule(
            "database.cache",
            "warning",
            settings.alert_cache_hits,
            "database.cache_hit_share",
            "database-slow.md",
            below=True,
        ),
        AlertRule(
            "process.memory",
            "warning",
            memory_bytes,
            "process.memory_bytes",
            "process-memory.md",
            subject="process",
        ),
        AlertRule(
            "redis.memory", "critical", settings.alert_redis_memory, "redis.memory_share", "redis-away.md"
        ),
    ]


def _often(name: str, perform: Perform) -> JobKind:
    """
    A failed run is followed by the next tick soon, so it is retried only for a short time and failures do not pile up.
    """
    backoff = RetryPolicy.doubling(first_seconds=1.0, cap_seconds=10.0)
    return JobKind(name, QUEUE, perform, max_attempts=3, backoff=backoff)


SCHEDULES = [
    Schedule(
        ROLL_UP, "* * * * *", ROLL_UP, "Adds what processes counted to the usage of the hour and the day."
    ),
    Schedule(FOLD, "* * * * *", FOLD, "Adds what processes counted to what objectives are held against."),
    Schedule(
        SAMPLE, "*/5 * * * *", SAMPLE, "Takes samples of Postgres, Redis, queues, processes and the disk."
    ),
    Schedule(CHECK_HEALTH, "* * * * *", CHECK_HEALTH, "Asks what Ogel leans on, and tells of changes."),
    Schedule(CHECK_ALERTS, "* * * * *", CHECK_ALERTS, "Raises and clears alerts."),
]
