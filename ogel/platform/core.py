"""The core of a platform: what its features share, made of the servers and the root's settings."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, disable_created_metrics

from ogel.features.audit.store import AuditStore
from ogel.platform.named_servers import named_servers
from ogel.platform.outside import quotas_by_class
from ogel.platform.railway import railway_over
from ogel.platform.servers import Servers
from ogel.runtime.core import Core, ThisProcess
from ogel.runtime.delivery.providers import ProviderMetrics
from ogel.runtime.http.watching import Watching
from ogel.runtime.jobs.depths import Depths
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.pressure import Pressure, QueueLimits
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.lazy import Features, LazyKinds
from ogel.runtime.metrics.tallies import Tallies
from ogel.runtime.outbox import Outbox
from ogel.runtime.rates.budgets import Budgets
from ogel.runtime.rates.limiter import Limiter
from ogel.runtime.rates.metrics import RateMetrics
from ogel.runtime.reserved import ReservedTypes
from ogel.runtime.schedule.built_in import BuiltInSchedules
from ogel.runtime.secrets.vault import Vault
from ogel.settings import NOWHERE, Settings


def core_of(settings: Settings, servers: Servers, features: Features) -> Core:
    """The audit trail is the one thing that a feature makes and all others write to."""
    assert settings.secret
    assert settings.admin_key
    # A second series for each counter, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    tallies = Tallies()
    for database in (servers.database, servers.workers_database):
        database.timed_by(tallies.of("database").timed)
    rates = RateMetrics(registry)
    has_redis = settings.redis_url != NOWHERE.redis_url
    jobs = JobQueue(LazyKinds(features), servers.notifier)
    return Core(
        database=servers.database,
        workers_database=servers.workers_database,
        jobs=jobs,
        keys=JobKeys(jobs),
        outbox=Outbox(jobs),
        reserved=ReservedTypes(lambda: [type for each in features.all() for type in each.events]),
        audit=AuditStore(),
        vault=Vault(settings.secret, settings.former_secrets),
        egress=servers.egress,
        outgoing=servers.outgoing,
        upstreams=servers.upstreams,
        railway=railway_over(servers.outgoing, settings),
        railway_project=settings.railway_project_id,
        railway_environment=settings.railway_environment_id,
        railway_deployment=settings.railway_deployment_id,
        url_guard=servers.url_guard,
        provider_metrics=ProviderMetrics(registry),
        registry=registry,
        tallies=tallies,
        broadcast=servers.broadcast,
        has_redis=has_redis,
        objects=servers.objects,
        pressure=Pressure(QueueLimits(settings.queue_soft_limit, settings.queue_hard_limit), registry),
        depths=Depths(servers.database, features.queue_names),
        redis_stats=servers.redis.stats,
        redis_workers=servers.redis.workers,
        watch=Watching(),
        limiter=Limiter(
            quotas_by_class(settings), Budgets(servers.rates if has_redis else None, rates), rates
        ),
        schedules=BuiltInSchedules(features, jobs.kind, dict(settings.schedules)),
        features=features,
        process=ThisProcess(),
        servers=named_servers(settings),
        probes=servers.probes,
        costly_probes=servers.costly_probes,
        admin_key=settings.admin_key,
        data_dir=settings.data_dir,
        retention_days=settings.retention_days,
        drain_seconds=settings.drain_seconds,
    )
