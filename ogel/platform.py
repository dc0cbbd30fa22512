"""The composition root: Settings in, a Platform out. It names every feature, and with outside.py every adapter."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import redis
import structlog
from prometheus_client import CollectorRegistry, disable_created_metrics

from ogel.adapters.egress import AddressGuard, Door, EgressClient, OwnServices, Proxy, ProxyAddress
from ogel.adapters.migrations import migrate, read_migrations, wait_for_schema
from ogel.adapters.postgres import make_pool, name_connections, wait_for_postgres
from ogel.adapters.redis_info import RedisInfo
from ogel.adapters.redis_pubsub import RedisBroadcast
from ogel.adapters.rq_bell.ring import RqBell
from ogel.features.audit.store import AuditStore
from ogel.features.keys.service import KeyService
from ogel.features.keys.store import KeyStore
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.features.realtime.feature import RealtimeFeature
from ogel.features.realtime.jobs import QUEUE as REALTIME_QUEUE
from ogel.features.realtime.listening import Listening
from ogel.features.stats.usage.flusher import Flusher
from ogel.features.stats.usage.store import UsageStore
from ogel.features.webhooks.deliveries.job import QUEUE as WEBHOOKS_QUEUE
from ogel.features.webhooks.feature import WebhookFeature, WebhookOptions
from ogel.features.webhooks.health.rules import Patience
from ogel.kernel.errors import ConfigError
from ogel.outside import object_store, own_hosts, pool_options, workers_pool_options
from ogel.runtime.database.check import check_writes
from ogel.runtime.database.database import Database
from ogel.runtime.delivery.providers import ProviderMetrics
from ogel.runtime.http.health import Probe
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.jobs.bell import Notifier
from ogel.runtime.jobs.depths import Depths
from ogel.runtime.jobs.keys import DropKey, JobKeys
from ogel.runtime.jobs.pressure import Pressure, QueueLimits
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.lazy import LazyFeature, LazyKinds
from ogel.runtime.outbox import Outbox
from ogel.runtime.process.memory import MemoryLimit
from ogel.runtime.realtime.signed import SignedBroadcast
from ogel.runtime.reserved import ReservedTypes
from ogel.runtime.secrets.vault import Vault
from ogel.settings import (
    Settings,
    require,
)

# What stands here is imported with the feature that needs it, where it is built.
if TYPE_CHECKING:
    from ogel.adapters.mongo import Mongo
    from ogel.features.audit.feature import AuditFeature
    from ogel.features.backups.feature import BackupFeature
    from ogel.features.cleanup.feature import CleanupFeature
    from ogel.features.databases.feature import DatabaseFeature
    from ogel.features.events.service import EventService
    from ogel.features.jobs.service import JobService
    from ogel.features.mail.feature import MailFeature
    from ogel.features.messaging.feature import MessagingFeature
    from ogel.features.schedules.service import ScheduleService
    from ogel.features.stats.feature import StatsFeature
    from ogel.runtime.feature import Feature, Measure
    from ogel.runtime.jobs.kind import JobKind
    from ogel.runtime.schedule.schedule import Schedule
    from ogel.runtime.schedule.ticks import Ticker

log = structlog.get_logger(__name__)

_EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
# In a checkout; an installed image says where they are instead.
MIGRATIONS = Path(__file__).parent.parent / "sql" / "migrations"
# Enough to build a platform that nothing is asked of but its manifests.
NOWHERE = Settings(
    database_url="postgresql://nowhere/none", redis_url="redis://nowhere", admin_key="0" * 24, secret="0" * 24
)


class Platform:
    """Everything of one process, wired. Building it connects to nothing; `connected` does, while its block runs."""

    def __init__(self, settings: Settings) -> None:
        require(settings, "database_url", "redis_url", "admin_key", "secret")
        assert settings.database_url
        assert settings.redis_url
        assert settings.secret
        self.settings = settings
        # A second series for each counter, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.metric_labels: dict[str, str] = {}  # at what is of this process
        self.bell = RqBell(settings.redis_url)
        self.notifier = Notifier(self.bell)
        self._pool = make_pool(settings.database_url, pool_options(settings))
        self.database = Database(self._pool, self.notifier.ring)
        # Claims, results and leases do not queue behind requests: a flood of those must not cost a worker its leases.
        self._workers_pool = make_pool(settings.database_url, workers_pool_options(settings))
        self.workers_database = Database(self._workers_pool, self.notifier.ring)
        self.redis = RedisInfo(settings.redis_url)
        self._mongo = _mongo(settings.mongo_url)
        self._pubsub = RedisBroadcast(settings.redis_url)
        self.broadcast = SignedBroadcast(self._pubsub, settings.secret, settings.former_secrets)
        own = own_hosts(settings)
        self._guard = AddressGuard(
            allow=settings.webhook_allow_nets or (), own_names=own.servers | own.fronts
        )
        self._door = Door(self._guard)
        self._own_services = OwnServices(self._guard, own)
        proxy = Proxy(ProxyAddress.of(settings.egress_proxy)) if settings.egress_proxy else None
        self.egress = EgressClient(self._guard, max_connections=settings.worker_in_flight + 100, proxy=proxy)
        # To addresses that operators set: those may be private.
        self.provider_egress = EgressClient(AddressGuard(allow=_EVERYWHERE), proxy=proxy)
        self.provider_metrics = ProviderMetrics(self.registry)
        self.objects = object_store(settings)
        self._vault = vault = Vault(settings.secret, settings.former_secrets)
        self._owners = self._owners_of_rows()
        self._parts = [*self._owners, *self._parts_about_others()]
        self.kinds = LazyKinds(self._parts)
        self.jobs = JobQueue(self.kinds, self.notifier)
        self.keys_of_jobs = JobKeys(self.jobs)
        self.outbox = Outbox(self.jobs)
        self.reserved = ReservedTypes(lambda: [type for each in self.features for type in each.events])
        self.audit = AuditStore()
        self.key_uses = KeyUses(self.database, self.audit)
        self.key_watch = KeyWatch(self.database, KeyStore())
        self.keys = KeyService(
            self.database,
            KeyStore(),
            self.audit,
            self.key_uses,
            self.key_watch,
            None if settings.redis_url == NOWHERE.redis_url else self.broadcast,
            settings.admin_key,
        )
        self.pressure = Pressure(
            QueueLimits(settings.queue_soft_limit, settings.queue_hard_limit), self.registry
        )
        self.http_metrics = HttpMetrics(self.registry)
        self.depths = Depths(self.database, self.queue_names)
        # Every process may publish events, so that it needs who hears of them.
        self.realtime = RealtimeFeature(
            self.broadcast,
            Listening(self.database),
            self.key_watch,
            self.registry,
        )
        self.webhooks = WebhookFeature(
            self.database,
            self.jobs,
            self.keys_of_jobs,
            self.outbox,
            self.audit,
            self._door,
            self.egress,
            vault,
            WebhookOptions(
                settings.webhook_timeout_seconds,
                settings.webhook_retry_delays,
                settings.retention_days,
                Patience(settings.webhook_probe_seconds, settings.webhook_disable_after_seconds),
            ),
            self.registry,
        )
        hearing = [part.feature for part in self._parts if part.hears]
        self.outbox.subscribe([subscriber for feature in hearing for subscriber in feature.subscribers])
        self.flusher = Flusher(
            self.database,
            UsageStore(),
            self.registry,
            {"realtime.connections": self.realtime.metrics.take_peak},
            settings.usage_flush_seconds,
        )
        self.memory = MemoryLimit(settings.worker_max_mb) if settings.worker_max_mb else None

    def _owners_of_rows(self) -> Sequence[LazyFeature]:
        """Whose purges are run, and whose `left_out` backups heed; in the order in which cleanup shows them."""
        return [
            LazyFeature("audit", lambda: self.audit_log.feature(), ["audit"]),
            LazyFeature("databases", lambda: self.databases.feature(), ["databases"]),
            LazyFeature("events", self._events_feature),
            LazyFeature("keys", self._keys_feature),
            LazyFeature("messaging", lambda: self.messaging.feature(), ["messaging"]),
            LazyFeature("mail", lambda: self.mail.feature(), ["mail"]),
            LazyFeature("realtime", lambda: self.realtime.feature(), ["realtime"], hears=True),
            LazyFeature("webhooks", lambda: self.webhooks.feature(), ["webhooks", "cleanup"], hears=True),
            LazyFeature("stats", lambda: self.stats.feature(), ["stats"]),
        ]

    def _parts_about_others(self) -> Sequence[LazyFeature]:
        """They work on what all owners declare, so that nobody asks them for purges of their own."""
        return [
            LazyFeature("cleanup", lambda: self.cleanup.feature(), ["cleanup"]),
            LazyFeature("backups", lambda: self.backups.feature(), ["migrations"]),
            LazyFeature("jobs", self._jobs_feature, ["cleanup"]),
            LazyFeature("schedules", self._schedules_feature),
            LazyFeature("system", lambda: self.system),
        ]

    @property
    def features(self) -> list[Feature]:
        """All of them: what is not built yet is."""
        return [part.feature for part in self._parts]

    @property
    def has_built_owners(self) -> bool:
        return all(part.is_built for part in self._owners)

    @property
    def queue_names(self) -> list[str]:
        return sorted({queue for part in self._parts for queue in part.queues})

    def kinds_of(self, queue: str) -> list[JobKind]:
        """Builds what performs its jobs, and nothing else."""
        features = [part.feature for part in self._parts if queue in part.queues]
        return [kind for feature in features for kind in feature.jobs if kind.queue == queue]

    @cached_property
    def audit_log(self) -> AuditFeature:
        from ogel.features.audit.feature import AuditFeature

        return AuditFeature(self.database, self.audit, self._vault, self.settings.audit_retention_days)

    @cached_property
    def databases(self) -> DatabaseFeature:
        from ogel.adapters.databases.drivers import Drivers
        from ogel.features.databases.feature import DatabaseFeature

        return DatabaseFeature(
            self.database,
            self.jobs,
            self.keys_of_jobs,
            self.outbox,
            self.audit,
            self._vault,
            Drivers(),
            self.settings.retention_days,
            self.registry,
        )

    @cached_property
    def events(self) -> EventService:
        from ogel.features.events.publisher import Publisher
        from ogel.features.events.service import EventService

        publisher = Publisher(
            self.database,
            self.outbox,
            self.audit,
            lambda: self.pressure.admit((WEBHOOKS_QUEUE, REALTIME_QUEUE)),
            self.registry,
        )
        return EventService(self.database, publisher, self.reserved, self.settings.max_event_bytes)

    def _events_feature(self) -> Feature:
        from ogel.features.events.feature import events_feature

        return events_feature(lambda: self.events, self.settings.retention_days)

    def _keys_feature(self) -> Feature:
        from ogel.features.keys.feature import keys_feature

        return keys_feature(self.settings.key_retention_days)

    @cached_property
    def messaging(self) -> MessagingFeature:
        from ogel.features.messaging.feature import MessagingFeature, MessagingOptions
        from ogel.outside import message_providers

        settings = self.settings
        return MessagingFeature(
            self.database,
            self.jobs,
            self.outbox,
            self.audit,
            self._door,
            self._vault,
            message_providers(settings, self.provider_egress, self.egress),
            self.provider_metrics,
            self.pressure.admit,
            MessagingOptions(settings.message_lifetime_seconds, settings.message_retention_days),
        )

    @cached_property
    def mail(self) -> MailFeature:
        from ogel.features.mail.feature import MailFeature, MailOptions
        from ogel.features.mail.jobs import QUEUE
        from ogel.outside import mail_providers
        from ogel.runtime.delivery.providers import Providers
        from ogel.runtime.mail.address import parse_address

        settings = self.settings
        return MailFeature(
            self.database,
            self.jobs,
            self.outbox,
            self.audit,
            Providers("mail", mail_providers(settings, self.provider_egress), self.provider_metrics),
            MailOptions(
                parse_address(settings.mail_from) if settings.mail_from else None,
                settings.mail_templates,
                settings.mail_retry_delays,
                settings.mail_timeout_seconds,
                settings.mail_retention_days,
            ),
            lambda: self.pressure.admit((QUEUE,)),
        )

    @cached_property
    def stats(self) -> StatsFeature:
        from ogel.features.stats.alerts.rules import Thresholds
        from ogel.features.stats.feature import Sources, StatsFeature, StatsOptions
        from ogel.runtime.http.health import Checkup

        settings = self.settings
        storage = (
            []
            if settings.storage_backend == "local"
            else [Probe("storage", self._storage_answers, required=False)]
        )
        sources = Sources(
            depths=self.depths.all,
            redis_stats=self.redis.stats,
            breakers=self.webhooks.health_metrics.breakers,
            checkup=Checkup([*self.probes(), *storage]),
            data_dir=settings.data_dir,
        )
        options = StatsOptions(
            hours_kept_days=settings.usage_hours_days,
            days_kept_days=settings.usage_days,
            samples_kept_days=settings.resources_days,
            thresholds=Thresholds(
                queue_seconds=settings.alert_queue_seconds,
                dead_jobs=settings.alert_dead_jobs,
                open_breakers=settings.alert_open_breakers,
                disk_free_share=settings.alert_disk_free,
                connections_share=settings.alert_connections,
                cache_hit_share=settings.alert_cache_hits,
                memory_bytes=settings.alert_memory_mb * 1024 * 1024,
                redis_memory_share=settings.alert_redis_memory,
            ),
        )
        return StatsFeature(self.database, self.outbox, sources, options)

    @cached_property
    def cleanup(self) -> CleanupFeature:
        from ogel.adapters.temporary import purge_of_temporary_files
        from ogel.features.cleanup.feature import CleanupFeature
        from ogel.features.jobs.purge import purges_of_jobs

        settings = self.settings
        purges = [
            *(purge for part in self._owners for purge in part.feature.purges),
            *purges_of_jobs(self.jobs, settings.dead_job_retention_days),
            purge_of_temporary_files(settings.data_dir),
        ]
        return CleanupFeature(self.database, self.jobs, self.audit, purges, self._as_set)

    @cached_property
    def backups(self) -> BackupFeature:
        from ogel.features.backups.feature import BackupFeature, BackupOptions
        from ogel.features.schedules.feature import LEFT_OUT

        settings = self.settings
        left_out = [*LEFT_OUT, *(table for part in self._owners for table in part.feature.left_out)]
        options = BackupOptions(settings.backup_keep, settings.retention_days)
        return BackupFeature(
            self.database,
            self.objects,
            self._vault,
            self.jobs,
            self.outbox,
            self.audit,
            left_out,
            options,
        )

    @cached_property
    def job_service(self) -> JobService:
        from ogel.features.jobs.service import JobService

        kinds = [kind for feature in self.features for kind in feature.jobs]
        return JobService(
            self.database, self.jobs, self.audit, self.depths, self.pressure, self.redis.workers, kinds
        )

    def _jobs_feature(self) -> Feature:
        from ogel.features.jobs.feature import jobs_feature

        return jobs_feature(lambda: self.job_service, DropKey(self.database, self.keys_of_jobs))

    @cached_property
    def schedules(self) -> ScheduleService:
        from ogel.features.schedules.service import ScheduleOptions, ScheduleService

        options = ScheduleOptions(least_gap_seconds=self.settings.schedule_least_seconds)
        return ScheduleService(self.database, self.ticker(), self.jobs, self.audit, self.reserved, options)

    def _schedules_feature(self) -> Feature:
        from ogel.features.schedules.feature import schedules_feature

        return schedules_feature(lambda: self.schedules)

    def check_schedules(self) -> None:
        """Raises ConfigError where OGEL_SCHEDULES cannot be meant. Only all features together know: it builds them."""
        _ = self._built_in_schedules

    def ticker(self) -> Ticker:
        from ogel.runtime.schedule.ticks import Ticker

        return Ticker(self.database, self.jobs, self.outbox, self.reserved, self._built_in_schedules)

    @cached_property
    def _built_in_schedules(self) -> Sequence[Schedule]:
        """
        Those of every manifest, as OGEL_SCHEDULES has them. Raises ConfigError, with a line for each name that is not
        there and each cron that cannot be used.
        """
        from ogel.runtime.schedule.setting import unknown, unusable

        declared = [schedule for feature in self.features for schedule in feature.schedules]
        for schedule in declared:
            if schedule.kind is None or self.jobs.kind(schedule.kind) is None:
                raise ValueError(
                    f"schedule {schedule.name!r} names {schedule.kind!r}, which no feature performs"
                )
            # Names without one are the users'.
            if "." not in schedule.name:
                raise ValueError(f"schedule {schedule.name!r} has no dot in its name")
        wanted, names = dict(self.settings.schedules), sorted(schedule.name for schedule in declared)
        mistakes = [
            f"OGEL_SCHEDULES names {name!r}; "
            + (f"did you mean {meant}?" if meant else f"there are {', '.join(names)}")
            for name, meant in unknown(wanted, names).items()
        ]
        mistakes += [f"OGEL_SCHEDULES: {reason}" for reason in unusable(declared, wanted)]
        if mistakes:
            raise ConfigError("\n".join(mistakes))
        return [self._as_set(schedule) for schedule in declared]

    def _as_set(self, schedule: Schedule) -> Schedule:
        from ogel.runtime.schedule.setting import as_set

        try:
            return as_set(schedule, dict(self.settings.schedules))
        except ValueError as error:
            raise ConfigError(f"OGEL_SCHEDULES: {error}") from None

    @cached_property
    def system(self) -> Feature:
        """Metrics, which every process has: those of what only the database knows, too."""
        from ogel.features.databases.checks.metrics import DatabaseMetrics
        from ogel.features.databases.checks.store import HealthStore
        from ogel.features.stats.resources.gauges import ResourceGauges
        from ogel.features.stats.resources.store import ResourceStore
        from ogel.features.system.feature import system_feature
        from ogel.features.system.service import SystemService

        database, registry = self.database, self.registry
        measures: list[Measure] = [
            DatabaseMetrics(database, HealthStore(), registry).measure,
            self.webhooks.health_metrics.measure,
            ResourceGauges(database, ResourceStore(), registry).measure,
        ]
        service = SystemService(
            database, registry, self.depths.all, self.redis.stats, measures, self.metric_labels
        )
        return system_feature(service)

    @asynccontextmanager
    async def connected(self, works: bool, name: str) -> AsyncIterator[None]:
        """`name`: that of the process, as its database shows it."""
        async with AsyncExitStack() as stack:  # closes all of them, whichever fails to
            for pool in (self._pool, self._workers_pool) if works else (self._pool,):
                name_connections(pool, name)
                await pool.open()
                stack.push_async_callback(pool.close, timeout=5.0)
            stack.callback(self.bell.close)
            stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self._pubsub.close)
            stack.push_async_callback(self.egress.close)
            stack.push_async_callback(self.provider_egress.close)
            stack.push_async_callback(self.objects.close)
            await self._own_services.look()
            looking = asyncio.create_task(self._own_services.keep_looking(), name="own services")
            stack.push_async_callback(_cancelled, looking)
            if self._mongo is not None:
                stack.push_async_callback(self._mongo.close)
            ringing = asyncio.create_task(self.bell.run(), name="bell")
            stack.push_async_callback(_cancelled, ringing)
            yield

    @asynccontextmanager
    async def at_hand(self, rings: bool) -> AsyncIterator[None]:
        """For a command that uses the services and ends: the database and, if it `rings`, the bell."""
        async with AsyncExitStack() as stack:
            name_connections(self._pool, "cli")
            await self._pool.open()
            stack.push_async_callback(self._pool.close, timeout=5.0)
            stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self._pubsub.close)
            stack.push_async_callback(self.objects.close)
            stack.callback(self.bell.close)
            if rings:
                stack.push_async_callback(self._ring_at_last)
                ringing = asyncio.create_task(self.bell.run(), name="bell")
                stack.push_async_callback(_cancelled, ringing)
            yield

    async def _ring_at_last(self) -> None:
        try:
            await self.bell.flush()
        except (redis.RedisError, OSError) as error:
            log.warning("bell.redis_away", error=str(error), meaning="workers find the work by polling")

    def probes(self) -> list[Probe]:
        probes = [
            Probe("postgres", self._postgres_takes_writes, required=True),
            Probe("redis", self.redis.takes_writes, required=False),
        ]
        if self._mongo is not None:
            probes.append(Probe("mongo", self._mongo.ping, required=False))
        return probes

    async def _postgres_takes_writes(self) -> bool:
        await check_writes(self.database)
        return True

    async def _storage_answers(self) -> bool:
        from ogel.adapters.storage.s3 import check_bucket
        from ogel.outside import bucket_of

        await check_bucket(bucket_of(self.settings))
        return True


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _mongo(url: str | None) -> Mongo | None:
    if url is None:
        return None
    from ogel.adapters.mongo import Mongo

    return Mongo(url)


async def ready_database(settings: Settings, migrates: bool) -> None:
    assert settings.database_url
    await wait_for_postgres(settings.database_url, settings.connect_seconds)
    migrations = read_migrations(MIGRATIONS)
    if migrates:
        await migrate(settings.database_url, migrations)
    else:
        await wait_for_schema(settings.database_url, migrations, settings.connect_seconds)


def check_schedules(settings: Settings) -> None:
    """As Platform.check_schedules; needs no servers."""
    Platform(dataclasses.replace(NOWHERE, schedules=settings.schedules)).check_schedules()


def queue_names() -> list[str]:
    """Every queue there is; needs no servers."""
    return Platform(NOWHERE).queue_names
