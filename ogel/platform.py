"""The composition root: Settings in, a Platform out. It names every feature, and with outside.py every adapter."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import redis
import structlog
from prometheus_client import CollectorRegistry

from ogel.adapters.databases.drivers import Drivers
from ogel.adapters.egress import AddressGuard, EgressClient, OwnServices, Proxy, ProxyAddress
from ogel.adapters.migrations import migrate, read_migrations, wait_for_schema
from ogel.adapters.mongo import Mongo
from ogel.adapters.postgres import make_pool, wait_for_postgres
from ogel.adapters.redis_info import RedisInfo
from ogel.adapters.redis_pubsub import RedisBroadcast
from ogel.adapters.rq_bell import RqBell
from ogel.adapters.storage.s3 import check_bucket
from ogel.adapters.temporary import purge_of_temporary_files
from ogel.features.audit.feature import AuditFeature
from ogel.features.audit.store import AuditStore
from ogel.features.backups.create import QUEUE as BACKUPS_QUEUE
from ogel.features.backups.feature import BackupFeature, BackupOptions
from ogel.features.cleanup.feature import CleanupFeature, CleanupOptions
from ogel.features.cleanup.jobs import QUEUE as CLEANUP_QUEUE
from ogel.features.databases.feature import DatabaseFeature, DatabaseOptions
from ogel.features.events.feature import events_feature
from ogel.features.events.publisher import Publisher
from ogel.features.events.service import EventService
from ogel.features.jobs.depths import Depths
from ogel.features.jobs.feature import jobs_feature
from ogel.features.jobs.pressure import Pressure, QueueLimits
from ogel.features.jobs.purge import purges_of_jobs
from ogel.features.jobs.service import JobService
from ogel.features.keys.feature import keys_feature
from ogel.features.keys.service import KeyService
from ogel.features.keys.store import KeyStore
from ogel.features.keys.uses import KeyUses
from ogel.features.mail.feature import MailFeature, MailOptions
from ogel.features.mail.jobs import QUEUE as MAIL_QUEUE
from ogel.features.messaging.feature import MessagingFeature, MessagingOptions
from ogel.features.realtime.feature import RealtimeFeature
from ogel.features.realtime.jobs import QUEUE as REALTIME_QUEUE
from ogel.features.schedules.feature import LEFT_OUT as SCHEDULES_LEFT_OUT
from ogel.features.schedules.feature import schedules_feature
from ogel.features.schedules.service import ScheduleOptions, ScheduleService
from ogel.features.stats.alerts.rules import Thresholds
from ogel.features.stats.feature import QUEUE as STATS_QUEUE
from ogel.features.stats.feature import Sources, StatsFeature, StatsOptions
from ogel.features.system.feature import system_feature
from ogel.features.system.service import SystemService
from ogel.features.webhooks.deliveries.job import QUEUE as WEBHOOKS_QUEUE
from ogel.features.webhooks.feature import WebhookFeature, WebhookOptions
from ogel.features.webhooks.health.rules import Patience
from ogel.kernel.errors import ConfigError
from ogel.outside import (
    bucket_of,
    horses,
    mail_providers,
    message_providers,
    object_store,
    own_hosts,
    pool_options,
    workers_pool_options,
)
from ogel.runtime.database import Database
from ogel.runtime.feature import Feature
from ogel.runtime.http.health import Checkup, Probe
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.jobs.bell import Doorman
from ogel.runtime.jobs.keys import DropKey, JobKeys
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.mail.address import parse_address
from ogel.runtime.memory import MemoryLimit
from ogel.runtime.outbox import Outbox
from ogel.runtime.providers import ProviderMetrics, Providers
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.ticks import Ticker
from ogel.runtime.vault import Vault
from ogel.settings import (
    Settings,
    require_secrets,
    require_servers,
)

if TYPE_CHECKING:
    pass

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
        require_servers(settings)
        require_secrets(settings)
        assert settings.database_url
        assert settings.redis_url
        assert settings.secret
        self.settings = settings
        self.registry = CollectorRegistry()
        self.bell = RqBell(settings.redis_url)
        self.doorman = Doorman(self.bell)
        self._pool = make_pool(settings.database_url, pool_options(settings))
        self.database = Database(self._pool, self.doorman.ring)
        # Claims, results and leases do not queue behind requests: a flood of those must not cost a worker its leases.
        self._workers_pool = make_pool(settings.database_url, workers_pool_options(settings))
        self.workers_database = Database(self._workers_pool, self.doorman.ring)
        self.redis = RedisInfo(settings.redis_url)
        self._mongo = Mongo(settings.mongo_url) if settings.mongo_url else None
        self.broadcast = RedisBroadcast(settings.redis_url)
        own = own_hosts(settings)
        self._guard = AddressGuard(
            allow=settings.webhook_allow_nets or (), own_names=own.servers | own.fronts
        )
        self._own_services = OwnServices(self._guard, own)
        proxy = Proxy(ProxyAddress.of(settings.egress_proxy)) if settings.egress_proxy else None
        self.egress = EgressClient(self._guard, max_connections=settings.worker_in_flight + 100, proxy=proxy)
        # To addresses that operators set: those may be private.
        self.provider_egress = EgressClient(AddressGuard(allow=_EVERYWHERE), proxy=proxy)
        self.provider_metrics = ProviderMetrics(self.registry)
        self.objects = object_store(settings)
        self._vault = vault = Vault(settings.secret, settings.former_secrets)
        self.jobs = JobQueue()
        self.keys_of_jobs = JobKeys(self.jobs)
        self.outbox = Outbox(self.jobs)
        self.audit = AuditStore()
        self.audit_log = AuditFeature(self.database, self.audit, vault, settings.audit_retention_days)
        self.key_uses = KeyUses(self.database, self.audit)
        self.keys = KeyService(self.database, KeyStore(), self.audit, self.key_uses, settings.admin_key)
        self.pressure = Pressure(
            QueueLimits(settings.queue_soft_limit, settings.queue_hard_limit), self.registry
        )
        publisher = Publisher(
            self.database,
            self.outbox,
            self.audit,
            lambda: self.pressure.admit((WEBHOOKS_QUEUE, REALTIME_QUEUE)),
            self.registry,
        )
        self.events = EventService(self.database, publisher, settings.max_event_bytes)
        self.realtime = RealtimeFeature(self.broadcast, self.keys.authenticate, self.registry)
        self.databases = DatabaseFeature(
            self.database,
            self.jobs,
            self.keys_of_jobs,
            self.outbox,
            self.audit,
            vault,
            Drivers(),
            DatabaseOptions(settings.database_check_minutes, settings.retention_days),
            self.registry,
        )
        self.webhooks = WebhookFeature(
            self.database,
            self.jobs,
            self.keys_of_jobs,
            self.outbox,
            self.audit,
            self._guard,
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
        self.messaging = MessagingFeature(
            self.database,
            self.jobs,
            self.outbox,
            self.audit,
            self._guard,
            vault,
            message_providers(settings, self.provider_egress, self.egress),
            self.provider_metrics,
            self.pressure.admit,
            MessagingOptions(settings.message_lifetime_seconds, settings.message_retention_days),
        )
        self.http_metrics = HttpMetrics(self.registry)
        self.mail = MailFeature(
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
            lambda: self.pressure.admit((MAIL_QUEUE,)),
        )
        self.features = self._features()
        kinds = [kind for feature in self.features for kind in feature.jobs]
        self.jobs.know(kinds)
        self.horses = horses(settings, kinds)
        self.memory = MemoryLimit(settings.worker_max_mb) if settings.worker_max_mb else None
        self._check_schedules()
        self.outbox.subscribe([s for feature in self.features for s in feature.subscribers])

    @cached_property
    def queue_names(self) -> list[str]:
        return sorted({kind.queue for feature in self.features for kind in feature.jobs})

    def _check_schedules(self) -> None:
        for schedule in self._schedules:
            if schedule.kind is None or self.jobs.kind(schedule.kind) is None:
                raise ValueError(
                    f"schedule {schedule.name!r} names {schedule.kind!r}, which no feature performs"
                )
            # Names without one are the users'.
            if "." not in schedule.name:
                raise ValueError(f"schedule {schedule.name!r} has no dot in its name")

    def ticker(self) -> Ticker:
        return Ticker(self.database, self.jobs, self.outbox, self._schedules)

    def _features(self) -> list[Feature]:
        settings, database = self.settings, self.database
        working = [
            self.audit_log.feature(),
            self.databases.feature(),
            events_feature(self.events, settings.retention_days),
            keys_feature(settings.key_retention_days),
            self.messaging.feature(),
            self.mail.feature(),
            self.realtime.feature(),
            self.webhooks.feature(),
        ]
        later = {STATS_QUEUE, BACKUPS_QUEUE, CLEANUP_QUEUE}
        queues = sorted({*later, *(kind.queue for feature in working for kind in feature.jobs)})
        self.depths = depths = Depths(database, queues)
        self.stats = self._stats(depths)
        working.append(self.stats.feature())
        self.cleanup = self._cleanup(working)
        working.append(self.cleanup.feature())
        left_out = [*SCHEDULES_LEFT_OUT, *(table for feature in working for table in feature.left_out)]
        self.backups = self._backups(left_out)
        working.append(self.backups.feature())
        self._schedules = _as_set(
            [schedule for feature in working for schedule in feature.schedules], settings.schedules
        )
        self.schedules = ScheduleService(
            database,
            self.ticker(),
            self.jobs,
            self.audit,
            ScheduleOptions(least_gap_seconds=settings.schedule_least_seconds),
        )
        measures = [measure for feature in working for measure in feature.measures]
        kinds = [kind for feature in working for kind in feature.jobs]
        self.job_service = JobService(
            database, self.jobs, self.audit, depths, self.pressure, self.redis.workers, kinds
        )
        return [
            *working,
            jobs_feature(self.job_service, DropKey(database, self.keys_of_jobs)),
            schedules_feature(self.schedules),
            system_feature(
                SystemService(database, self.registry, depths.all, self.redis.stats, measures),
            ),
        ]

    def _backups(self, left_out: Sequence[str]) -> BackupFeature:
        settings = self.settings
        options = BackupOptions(settings.backup_cron, settings.backup_keep, settings.retention_days)
        try:
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
        except ValueError as error:
            raise ConfigError(f"OGEL_BACKUP_CRON cannot be used: {error}") from None

    def _stats(self, depths: Depths) -> StatsFeature:
        settings = self.settings
        storage = (
            []
            if settings.storage_backend == "local"
            else [Probe("storage", self._storage_answers, required=False)]
        )
        sources = Sources(
            registry=self.registry,
            peaks={"realtime.connections": self.realtime.metrics.take_peak},
            depths=depths.all,
            redis_stats=self.redis.stats,
            breakers=self.webhooks.health_metrics.breakers,
            checkup=Checkup([*self.probes(), *storage]),
            data_dir=settings.data_dir,
        )
        options = StatsOptions(
            flush_seconds=settings.usage_flush_seconds,
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

    def _cleanup(self, features: Sequence[Feature]) -> CleanupFeature:
        settings = self.settings
        purges = [
            *(purge for feature in features for purge in feature.purges),
            *purges_of_jobs(self.jobs, settings.dead_job_retention_days),
            purge_of_temporary_files(settings.data_dir),
        ]
        options = CleanupOptions(settings.cleanup_cron, dict(settings.schedules))
        return CleanupFeature(self.database, self.jobs, self.audit, purges, options)

    @asynccontextmanager
    async def connected(self, works: bool) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:  # closes all of them, whichever fails to
            for pool in (self._pool, self._workers_pool) if works else (self._pool,):
                await pool.open()
                stack.push_async_callback(pool.close, timeout=5.0)
            stack.callback(self.bell.close)
            stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self.broadcast.close)
            stack.push_async_callback(self.egress.close)
            stack.push_async_callback(self.provider_egress.close)
            if self.horses is not None:
                stack.push_async_callback(self.horses.close)
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
            await self._pool.open()
            stack.push_async_callback(self._pool.close, timeout=5.0)
            stack.push_async_callback(self.redis.close)
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
            Probe("postgres", self._postgres_answers, required=True),
            Probe("redis", self.redis.ping, required=False),
        ]
        if self._mongo is not None:
            probes.append(Probe("mongo", self._mongo.ping, required=False))
        return probes

    async def _postgres_answers(self) -> bool:
        async with self.database.session() as session:
            return bool(await session.value(b"SELECT 1"))

    async def _storage_answers(self) -> bool:
        await check_bucket(bucket_of(self.settings))
        return True


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def ready_database(settings: Settings, migrates: bool) -> None:
    assert settings.database_url
    await wait_for_postgres(settings.database_url, settings.connect_seconds)
    migrations = read_migrations(MIGRATIONS)
    if migrates:
        await migrate(settings.database_url, migrations)
    else:
        await wait_for_schema(settings.database_url, migrations, settings.connect_seconds)


def queue_names() -> list[str]:
    """Every queue there is, from the manifests; needs no servers."""
    return Platform(NOWHERE).queue_names


def _as_set(declared: Sequence[Schedule], wanted: Sequence[tuple[str, str]]) -> list[Schedule]:
    """Raises ConfigError: OGEL_SCHEDULES names what is not there, or a cron that cannot be used."""
    schedules = {schedule.name: schedule for schedule in declared}
    for name, cron in wanted:
        if name not in schedules:
            known = ", ".join(sorted(schedules))
            raise ConfigError(f"OGEL_SCHEDULES names {name!r}; there are {known}")
        try:
            schedules[name] = replace(
                schedules[name], **({"enabled": False} if cron.lower() == "off" else {"cron": cron})
            )
        except ValueError as error:
            raise ConfigError(f"OGEL_SCHEDULES: {error}") from None
    return list(schedules.values())
