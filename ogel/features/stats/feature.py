"""The manifest of stats, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ogel.features.stats.alerts.jobs import CHECK as CHECK_ALERTS
from ogel.features.stats.alerts.jobs import CheckAlerts
from ogel.features.stats.alerts.rules import Thresholds, rules_of
from ogel.features.stats.alerts.service import CLEARED, RAISED, AlertService
from ogel.features.stats.alerts.store import AlertStore
from ogel.features.stats.health.jobs import CHANGED, CheckHealth
from ogel.features.stats.health.jobs import CHECK as CHECK_HEALTH
from ogel.features.stats.health.purge import purge_of_health_checks
from ogel.features.stats.health.store import HealthCheckStore
from ogel.features.stats.resources.jobs import SAMPLE, TakeSamples
from ogel.features.stats.resources.purge import purge_of_samples
from ogel.features.stats.resources.sampler import Breakers, Sampler
from ogel.features.stats.resources.store import ResourceStore
from ogel.features.stats.usage.jobs import ROLL_UP, RollUp
from ogel.features.stats.usage.purges import purges_of_usage
from ogel.features.stats.usage.service import UsageService
from ogel.features.stats.usage.store import UsageStore
from ogel.runtime.database.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.http.health import Checkup
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.depth import AskDepths
from ogel.runtime.jobs.kind import JobKind, Perform
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.metrics.redis_stats import AskRedis
from ogel.runtime.outbox import Outbox
from ogel.runtime.schedule.schedule import Schedule

QUEUE = "stats"


@dataclass(frozen=True, slots=True)
class StatsOptions:
    """Of usage per hour, per day, and of samples: how many days they are kept."""

    hours_kept_days: float
    days_kept_days: float
    samples_kept_days: float
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class Sources:
    """What stats are made of and other features know."""

    depths: AskDepths
    redis_stats: AskRedis
    breakers: Breakers
    checkup: Checkup
    data_dir: Path


class StatsFeature:
    def __init__(self, database: Database, outbox: Outbox, sources: Sources, options: StatsOptions) -> None:
        self._database = database
        self._options = options
        self._usage_store = UsageStore()
        self._resource_store = ResourceStore()
        self._health_store = HealthCheckStore()
        self.usage = UsageService(database, self._usage_store)
        self._sampler = Sampler(
            database,
            self._resource_store,
            sources.depths,
            sources.redis_stats,
            sources.breakers,
            sources.data_dir,
        )
        self._check_health = CheckHealth(database, self._health_store, outbox, sources.checkup)
        self.alerts = AlertService(
            database, AlertStore(), outbox, self._sampler, rules_of(options.thresholds)
        )

    def feature(self) -> Feature:
        database, options = self._database, self._options
        return Feature(
            name="stats",
            routes=self._routes,
            jobs=[
                _often(ROLL_UP, RollUp(database, self._usage_store).perform),
                _often(SAMPLE, TakeSamples(database, self._resource_store, self._sampler).perform),
                _often(CHECK_HEALTH, self._check_health.perform),
                _often(CHECK_ALERTS, CheckAlerts(self.alerts).perform),
            ],
            schedules=SCHEDULES,
            events={
                CHANGED: "something that Ogel leans on stopped answering, or answers again",
                RAISED: "a number was over its threshold in two checks in a row",
                CLEARED: "a number was not over its threshold any more, in two checks in a row",
            },
            purges=[
                *purges_of_usage(options.hours_kept_days, options.days_kept_days),
                purge_of_samples(options.samples_kept_days),
                purge_of_health_checks(),
            ],
        )

    def _routes(self) -> Sequence[Route]:
        from ogel.features.stats.alerts.routes import AlertRoutes
        from ogel.features.stats.health.routes import HealthRoutes
        from ogel.features.stats.resources.routes import ResourceRoutes
        from ogel.features.stats.usage.routes import UsageRoutes

        return [
            *UsageRoutes(self.usage).routes(),
            *ResourceRoutes(self._database, self._resource_store).routes(),
            *HealthRoutes(self._database, self._health_store).routes(),
            *AlertRoutes(self.alerts).routes(),
        ]


def _often(name: str, perform: Perform) -> JobKind:
    """What fails is made up for by the next tick: it is not tried for long, so that failures do not pile up."""
    backoff = RetryPolicy.doubling(first_seconds=1.0, cap_seconds=10.0)
    return JobKind(name, QUEUE, perform, max_attempts=3, backoff=backoff)


SCHEDULES = [
    Schedule(
        ROLL_UP, "* * * * *", ROLL_UP, "Adds what processes counted to the usage of the hour and the day."
    ),
    Schedule(
        SAMPLE, "*/5 * * * *", SAMPLE, "Takes samples of Postgres, Redis, queues, processes and the disk."
    ),
    Schedule(CHECK_HEALTH, "* * * * *", CHECK_HEALTH, "Asks what Ogel leans on, and tells of changes."),
    Schedule(CHECK_ALERTS, "* * * * *", CHECK_ALERTS, "Raises and clears alerts."),
]
